# METADATA
# title: Time windows
# description: |
#   Grants that begin and end (just in time), and hours of the week. Times are RFC 3339; `now` is in
#   nanoseconds, from time.now_ns(), which is one instant for the whole decision.
package countersign.windows

# METADATA
# title: within(window, now)
# description: Holds from window.from on, and until just before window.until. Both have to be there.
within(window, now) if {
	time.parse_rfc3339_ns(window.from) <= now
	now < time.parse_rfc3339_ns(window.until)
}

# METADATA
# title: expired(window, now)
# description: Holds where the window's end has come, to tell a grant that is over from one that never was.
expired(window, now) if time.parse_rfc3339_ns(window.until) <= now

# METADATA
# title: at_most(window, limit)
# description: Holds where the window is no longer than the limit, such as "8h".
at_most(window, limit) if {
	length := time.parse_rfc3339_ns(window.until) - time.parse_rfc3339_ns(window.from)
	length <= time.parse_duration_ns(limit)
}

# METADATA
# title: in_hours(hours, now)
# description: Holds on hours.days (Monday …), from the hour hours.from until just before hours.until, in the time zone hours.zone.
in_hours(hours, now) if {
	time.weekday([now, hours.zone]) in hours.days
	[hour, _, _] := time.clock([now, hours.zone])
	hours.from <= hour
	hour < hours.until
}
