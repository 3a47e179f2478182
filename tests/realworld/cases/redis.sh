# shellcheck shell=bash
# redis-server under redis-benchmark, over a Unix socket.
needs=(redis-server=redis-server redis-tools=redis-benchmark)
probe=(redis-server --version)

version() {
  redis-server --version | sed 's/ sha=.*//; s/Redis server v=/redis /'
}

prepare() {
  :
}

job() {
  local client=(redis-cli -s "$run/socket")
  serve redis-server --port 0 --unixsocket "$run/socket" --save '' --appendonly no --dir "$run"
  ready "${client[@]}" ping
  load redis-benchmark -q -s "$run/socket" -n 150000 -r 50000 -d 300 -c 20 -P 4 \
    -t set,get,incr,lpush,lpop,sadd,hset,zadd,lrange_100,mset >benchmark.out
  "${client[@]}" flushall
  # What the server then holds is made by a script, so that it can be compared.
  load "${client[@]}" eval "
    for i = 1, 60000 do
      redis.call('set', 'key' .. i, string.rep('x', i % 700))
      redis.call('hset', 'hash' .. i % 500, i, 'value' .. i)
      if i % 3 == 0 then redis.call('del', 'key' .. (i - 2)) end
    end
    local sum = 0
    for i = 1, 60000 do sum = sum + redis.call('strlen', 'key' .. i) end
    return {redis.call('dbsize'), sum, redis.call('hlen', 'hash7')}" 0
  stop
}
