"""What is done inside Redis, one script for each operation on a log: it happens as a whole or not.

Knows keys, numbers and sealed bytes. A log is a hash (b: its name, n: its last number, s and a:
what was saved and at which number) and a stream whose ids are its numbers. Every key expires.
"""

from typing import Any

import msgpack

from relay.broker.shared_log import Entry

# KEYS hash, stream, channel; ARGV born, at, milliseconds to keep, records.
# Returns the last number and the moment, or nothing if the log is another or does not reach to at.
APPEND = """
local log = redis.call('HMGET', KEYS[1], 'b', 'n')
if log[1] ~= ARGV[1] or tonumber(log[2]) < tonumber(ARGV[2]) then return false end
local time = redis.call('TIME')
local moment = time[1] .. string.format('%06d', time[2])
local first = tonumber(log[2])
for i = 4, #ARGV do
  redis.call('XADD', KEYS[2], string.format('%.0f-0', first + i - 3), 't', moment, 'r', ARGV[i])
end
local last = redis.call('HINCRBY', KEYS[1], 'n', #ARGV - 3)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
if redis.call('PUBSUB', 'SHARDNUMSUB', KEYS[3])[2] > 1 then
  local news = {ARGV[1], tostring(last), moment}
  for i = 4, #ARGV do news[i] = ARGV[i] end
  redis.call('SPUBLISH', KEYS[3], cmsgpack.pack(news))
end
return {last, moment}
"""

# KEYS hash, stream; ARGV born, at, milliseconds to keep. Only at 0 does it begin a log.
# Returns born, the last number, what was saved ('' unless at is 0), and the stream after that; or
# nothing if at is not 0 and the log is another or does not reach to it. A log of which a part is
# gone is none.
FOLLOW = """
local log = redis.call('HMGET', KEYS[1], 'b', 'n', 's', 'a')
local at, saved = tonumber(ARGV[2]), ''
if at > 0 and (log[1] ~= ARGV[1] or tonumber(log[2]) < at) then return false end
local known = at
if at == 0 and log[3] then saved, known = log[3], tonumber(log[4]) end
local entries = redis.call('XRANGE', KEYS[2], string.format('%.0f-0', known + 1), '+')
local is_whole = log[1] and #entries == tonumber(log[2]) - known
if not is_whole and at == 0 then
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[1], 'b', ARGV[1], 'n', 0)
  log[1], log[2], saved, entries = ARGV[1], 0, '', {}
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return {log[1], tonumber(log[2]), saved, entries}
"""

# KEYS hash, stream; ARGV born, at, milliseconds to keep. Returns what is after at, or nothing.
CHECK = """
local log = redis.call('HMGET', KEYS[1], 'b', 'n')
if log[1] ~= ARGV[1] or tonumber(log[2]) < tonumber(ARGV[2]) then return false end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return redis.call('XRANGE', KEYS[2], string.format('%.0f-0', ARGV[2] + 1), '+')
"""

# KEYS hash, stream; ARGV born, at, what is to be saved.
SAVE = """
local log = redis.call('HMGET', KEYS[1], 'b', 'a')
if log[1] ~= ARGV[1] or tonumber(log[2] or 0) >= tonumber(ARGV[2]) then return end
redis.call('HSET', KEYS[1], 's', ARGV[3], 'a', ARGV[2])
redis.call('XTRIM', KEYS[2], 'MINID', string.format('%.0f-0', ARGV[2] + 1))
"""

# KEYS hash, stream; ARGV born, at.
FORGET = """
local log = redis.call('HMGET', KEYS[1], 'b', 'n')
if log[1] == ARGV[1] and log[2] == ARGV[2] then redis.call('DEL', KEYS[1], KEYS[2]) end
"""

# KEYS nodes, era; ARGV node, seconds until one that is silent is gone, an era, seconds to keep.
# Returns the moment, the era of this store and the nodes that are there. When none was heard for
# half that time, it was the store that could not be had: nobody is gone for that. It takes next to
# nothing, and is let through when there is no memory left: a full store is no lost one.
BEAT = """#!lua flags=allow-oom
local time = redis.call('TIME')
local moment = time[1] .. string.format('%06d', time[2])
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
if last and now - tonumber(last) > ARGV[2] / 2 then
  for _, node in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    redis.call('ZADD', KEYS[1], now, node)
  end
end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('SET', KEYS[2], ARGV[3], 'NX')
redis.call('EXPIRE', KEYS[2], ARGV[4])
return {moment, redis.call('GET', KEYS[2]), redis.call('ZRANGE', KEYS[1], 0, -1)}
"""


def read_news(data: bytes) -> tuple[bytes, int, bytes, list[bytes]] | None:
    """Read what APPEND tells; None if it is somebody else who does."""
    try:
        born, last, moment, *records = msgpack.unpackb(data, raw=True)
        if not all(isinstance(value, bytes) for value in (born, moment, *records)):
            return None
        return born, int(last), b"%d" % int(moment), records
    except (ValueError, TypeError, msgpack.UnpackException):
        return None


def read_entries(found: list[Any]) -> list[Entry]:
    """Read what XRANGE gives: ids, and two fields each; what somebody else put there opens not."""
    entries = []
    for number, fields in found:
        try:
            moment, record = int(fields[1]) / 1e6, fields[3]
        except (ValueError, IndexError, TypeError):
            moment, record = 0.0, b""
        entries.append(Entry(int(number.partition(b"-")[0]), moment, record))
    return entries
