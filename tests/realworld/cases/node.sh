# shellcheck shell=bash
# node: JSON, buffers, maps, compression and worker threads.
needs=(nodejs=node)
probe=(node --version)

version() {
  echo "node $(node --version)"
}

prepare() {
  cat >"$dir/script.js" <<'END'
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const crypto = require('crypto');
const zlib = require('zlib');

function work(seed) {
  const hash = crypto.createHash('sha256');
  let state = seed;
  const random = (n) => (state = (state * 1103515245 + 12345) & 0x7fffffff) % n;
  for (let round = 0; round < 12; round++) {
    const rows = [];
    for (let i = 0; i < 8000; i++)
      rows.push({ id: i, name: 'n' + random(1e6), tags: Array.from({ length: random(6) }, () => 't' + random(99)) });
    const text = JSON.stringify(rows);
    const buffers = [];
    for (let i = 0; i < 2000; i++) buffers.push(Buffer.alloc(100 + random(20000), random(256)));
    const packed = zlib.deflateSync(Buffer.concat(buffers.filter((b, i) => i % 50 === 0)));
    hash.update(text).update(zlib.inflateSync(packed)).update(String(new Map(JSON.parse(text).map((r) => [r.name, r])).size));
  }
  return hash.digest('hex');
}

if (!isMainThread) {
  parentPort.postMessage(work(workerData));
} else {
  Promise.all([1, 2, 3].map((seed) => new Promise((resolve, reject) => {
    new Worker(__filename, { workerData: seed }).on('message', resolve).on('error', reject);
  }))).then((all) => console.log(work(4), ...all));
}
END
}

job() {
  under node "$dir/script.js"
}
