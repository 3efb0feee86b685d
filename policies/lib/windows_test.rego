package countersign.windows_test

import data.countersign.environment
import data.countersign.windows

window := {"from": "2026-03-01T08:00:00Z", "until": "2026-03-01T16:00:00+00:00"}

at(text) := time.parse_rfc3339_ns(text)

test_a_window_is_open_from_its_start_until_just_before_its_end if {
	windows.within(window, at("2026-03-01T08:00:00Z"))
	windows.within(window, at("2026-03-01T15:59:59Z"))
	not windows.within(window, at("2026-03-01T07:59:59Z"))
	not windows.within(window, at("2026-03-01T16:00:00Z"))
	not windows.within({"until": "2026-03-01T16:00:00Z"}, at("2026-03-01T09:00:00Z"))
	not windows.within({"from": "2026-03-01T08:00:00Z"}, at("2026-03-01T09:00:00Z"))
}

test_a_window_that_is_over if {
	windows.expired(window, at("2026-03-01T16:00:00Z"))
	not windows.expired(window, at("2026-03-01T15:00:00Z"))
}

test_a_window_is_no_longer_than_the_limit if {
	windows.at_most(window, "8h")
	not windows.at_most(window, "7h59m")
}

test_hours_of_the_week if {
	hours := {"zone": "Europe/Berlin", "days": ["Monday", "Friday"], "from": 9, "until": 17}
	windows.in_hours(hours, at("2026-07-06T07:00:00Z"))
	not windows.in_hours(hours, at("2026-07-06T15:00:00Z"))
	not windows.in_hours(hours, at("2026-07-06T06:59:00Z"))
	not windows.in_hours(hours, at("2026-07-07T10:00:00Z"))
}

environments := {
	"production": ["spiffe://prod.example/**"],
	"staging": ["spiffe://staging.example/**", "spiffe://example.org/ns/staging/**"],
	"shared": ["spiffe://example.org/ns/staging/sa/both"],
}

test_environments if {
	environment.of(environments, "spiffe://prod.example/x") == "production"
	environment.of(environments, "spiffe://example.org/ns/staging/sa/a") == "staging"
	environment.names(environments, "spiffe://example.org/ns/staging/sa/both") == {"staging", "shared"}
	not environment.of(environments, "spiffe://example.org/ns/staging/sa/both")
	not environment.of(environments, "spiffe://other.example/x")
}

test_environments_stay_apart if {
	environment.same(environments, "spiffe://staging.example/x", "spiffe://example.org/ns/staging/sa/a")
	not environment.same(environments, "spiffe://staging.example/x", "spiffe://prod.example/x")
	not environment.same(environments, "spiffe://other.example/x", "spiffe://other.example/x")
}
