# shellcheck shell=bash
# nginx, compressing what it serves, under ab; on the loopback interface only.
needs=(nginx=nginx apache2-utils=ab)
probe=(nginx -v)

version() {
  nginx -v 2>&1 | sed 's/.*nginx\//nginx /'
}

prepare() {
  mkdir "$dir/www"
  awk 'BEGIN {for (i = 0; i < 800; i++) print "<p>paragraph", i, i * 7919 % 1009, "</p>"}' \
    >"$dir/www/index.html"
}

# configuration PORT
configuration() {
  cat <<END
daemon off;
worker_processes 2;
pid $run/pid;
error_log $run/error.log;
events { worker_connections 256; }
http {
  types { text/html html; }
  access_log $run/access.log;
  gzip on;
  keepalive_requests 1000;
  client_body_temp_path $run/body;
  proxy_temp_path $run/proxy;
  fastcgi_temp_path $run/fastcgi;
  uwsgi_temp_path $run/uwsgi;
  scgi_temp_path $run/scgi;
  server { listen 127.0.0.1:$1; root $dir/www; }
}
END
}

# fetch PORT: the body of the page, plain.
fetch() {
  exec 3<>"/dev/tcp/127.0.0.1/$1"
  printf 'GET /index.html HTTP/1.0\r\n\r\n' >&3
  sed '1,/^\r$/d' <&3
}

job() {
  local port
  port=$(free_port)
  configuration "$port" >nginx.conf
  serve nginx -e "$run/error.log" -c "$run/nginx.conf"
  ready bash -c ": </dev/tcp/127.0.0.1/$port"
  load ab -q -k -n 100000 -c 50 -H 'Accept-Encoding: gzip' "http://127.0.0.1:$port/index.html" >ab.out
  load ab -q -n 20000 -c 20 "http://127.0.0.1:$port/index.html" >>ab.out
  grep -E '^(Complete|Failed) requests' ab.out
  fetch "$port" | digest
  stop QUIT
}
