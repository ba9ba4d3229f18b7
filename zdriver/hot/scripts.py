"""What runs inside Redis: each is atomic there. Lua 5.1, as Redis has it since 2.6."""

from __future__ import annotations

import hashlib
from typing import NamedTuple


class Script(NamedTuple):
    text: str
    digest: str  #: SHA-1, as EVALSHA wants it


def _script(text: str) -> Script:
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


#: KEYS session, intent, site; ARGV id, version, seconds of the context, of the intent, score, seconds of the
#: site, then fields and values, `intent` first. 1 when it is written, 0 when a newer version is there.
SAVE = _script("""
local before = redis.call('HMGET', KEYS[1], 'version', 'site')
if before[1] and (tonumber(before[1]) or 0) > tonumber(ARGV[2]) then
  return 0
end
if before[2] and 'zdriver:site:' .. before[2] ~= KEYS[3] then
  redis.call('ZREM', 'zdriver:site:' .. before[2], ARGV[1])
end
local fields = {}
for i = 7, #ARGV do fields[#fields + 1] = ARGV[i] end
redis.call('HSET', KEYS[1], unpack(fields))
redis.call('EXPIRE', KEYS[1], ARGV[3])
local intent = ARGV[8]
if intent ~= '' and tonumber(ARGV[4]) > 0 then
  redis.call('SET', KEYS[2], intent, 'EX', ARGV[4])
else
  redis.call('DEL', KEYS[2])
end
redis.call('ZADD', KEYS[3], ARGV[5], ARGV[1])
redis.call('EXPIRE', KEYS[3], ARGV[6])
return 1
""")

#: KEYS session, intent; ARGV id.
DROP = _script("""
local site = redis.call('HGET', KEYS[1], 'site')
if site then redis.call('ZREM', 'zdriver:site:' .. site, ARGV[1]) end
redis.call('DEL', KEYS[1], KEYS[2])
return 1
""")

#: KEYS site; ARGV how many at most. Pairs of id and the flat fields, newest first; an id of which nothing
#: is left, or whose key is another program's, is taken out.
FIND = _script("""
local found = {}
for _, id in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, ARGV[1] - 1)) do
  local fields = redis.pcall('HGETALL', 'session:' .. id)
  if fields.err or #fields == 0 then
    redis.call('ZREM', KEYS[1], id)
  else
    found[#found + 1] = {id, fields}
  end
end
return found
""")
