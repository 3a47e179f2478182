# shellcheck shell=bash
# java: compile and run a small program with threads.
needs=(default-jdk-headless=javac)
probe=(java -version)

version() {
  java -version
}

prepare() {
  cat >"$dir/Work.java" <<'END'
import java.nio.ByteBuffer;
import java.util.*;
import java.util.concurrent.*;
import java.util.zip.*;

public class Work {
    static long work(int seed) throws Exception {
        Random random = new Random(seed);
        Map<String, List<Integer>> index = new TreeMap<>();
        for (int i = 0; i < 200000; i++)
            index.computeIfAbsent("key" + random.nextInt(20000), k -> new ArrayList<>()).add(i);
        CRC32 crc = new CRC32();
        // Direct buffers and deflaters live in native memory.
        for (int i = 0; i < 300; i++) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(1000 + random.nextInt(200000));
            while (buffer.remaining() >= 8) buffer.putLong(random.nextLong() & 0xff);
            buffer.flip();
            Deflater deflater = new Deflater();
            deflater.setInput(buffer);
            deflater.finish();
            byte[] out = new byte[250000];
            crc.update(out, 0, deflater.deflate(out));
            deflater.end();
        }
        for (Map.Entry<String, List<Integer>> e : index.entrySet()) crc.update((e.getKey() + e.getValue()).getBytes());
        return crc.getValue();
    }

    public static void main(String[] args) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Future<Long>> results = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            int seed = i;
            results.add(pool.submit(() -> work(seed)));
        }
        for (Future<Long> result : results) System.out.println(result.get());
        pool.shutdown();
    }
}
END
}

job() {
  under javac -d . "$dir/Work.java"
  under java -Xmx512m -cp . Work
}
