/**
 * What has to happen in one step, as Lua. All keys of one script share a hash tag, and so a slot.
 *
 * Puts a value in the place of another one, and tells the others. KEYS: entries, changes. ARGV: id, what is expected
 * there (empty: nothing), what is put there, the most entries, about how many changes are kept.
 *
 * @returns 1 and nothing; 0 and what is there instead; or 2 where there is no room
 */
export const REPLACE = `
local there = redis.call('HGET', KEYS[1], ARGV[1])
if (there or '') ~= ARGV[2] then return {0, there or ''} end
if not there and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then return {2, ''} end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], '*', 'id', ARGV[1], 'value', ARGV[3])
return {1, ''}`;

/** Takes values away that are still what was seen. KEYS: entries. ARGV: id, value, id, value, … */
export const FORGET = `
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then redis.call('HDEL', KEYS[1], ARGV[i]) end
end
return 1`;

/**
 * Claims a proof for its one use. KEYS: the proof, since when proofs are remembered. ARGV: milliseconds for which it is
 * remembered, when it was made at the earliest (ms). What was made before this memory began may have been used before.
 */
export const CLAIM = `
local since = redis.call('GET', KEYS[2])
if not since then
  local time = redis.call('TIME')
  since = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('SET', KEYS[2], string.format('%.0f', since))
end
if not redis.call('SET', KEYS[1], '', 'NX', 'PX', ARGV[1]) then return 'replayed' end
if tonumber(ARGV[2]) < tonumber(since) then return 'unknown' end
return 'fresh'`;
