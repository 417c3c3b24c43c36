import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.zip.CRC32C;

import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.CompressionType;
import org.apache.kafka.common.record.ControlRecordType;
import org.apache.kafka.common.record.EndTransactionMarker;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.MemoryRecordsBuilder;
import org.apache.kafka.common.record.MutableRecordBatch;
import org.apache.kafka.common.record.Record;
import org.apache.kafka.common.record.RecordBatch;
import org.apache.kafka.common.record.SimpleRecord;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.ByteBufferOutputStream;
import org.apache.kafka.common.utils.CloseableIterator;

/**
 * Apache Kafka's own classes on one side of the record format, LogDyno on the other.
 *
 * `write DIR` has Kafka write the golden batches (NAME.bin) and say what it reads in them (NAME.txt).
 * `read DIR` has Kafka read every NAME.bin there and compares what it reads with NAME.txt, which LogDyno wrote.
 */
public class Golden {
    /** The first record's time in the golden batches. */
    static final long TIME = 1_700_000_000_000L;

    public static void main(String[] args) throws IOException {
        if (args.length != 2 || !List.of("write", "read").contains(args[0])) {
            System.err.println("usage: Golden.java write|read DIRECTORY");
            System.exit(2);
        }
        Path directory = Path.of(args[1]);
        if (args[0].equals("write")) {
            writeAll(directory);
        } else {
            System.exit(readAll(directory) ? 0 : 1);
        }
    }

    // ---- what Kafka writes

    static void writeAll(Path directory) throws IOException {
        for (CompressionType type : CompressionType.values()) {
            Compression codec = Compression.of(type).build();
            write(directory, type.name, new Batch(codec).append(shapes()));
            if (type != CompressionType.NONE) {
                write(directory, type.name + "-long", new Batch(codec).append(longRecords()));
            }
        }
        write(directory, "gzip-level-9", new Batch(Compression.gzip().level(9).build()).append(shapes()));
        write(directory, "lz4-level-17", new Batch(Compression.lz4().level(17).build()).append(longRecords()));
        write(directory, "zstd-level-22", new Batch(Compression.zstd().level(22).build()).append(longRecords()));

        Batch logAppendTime = new Batch(Compression.NONE);
        logAppendTime.timestampType = TimestampType.LOG_APPEND_TIME;
        logAppendTime.logAppendTime = TIME + 77;
        write(directory, "log-append-time", logAppendTime.append(shapes()));

        write(directory, "idempotent", producerBatch(false).append(shapes()));
        write(directory, "transactional", producerBatch(true).append(shapes()));
        write(directory, "commit-marker", marker(ControlRecordType.COMMIT));
        write(directory, "abort-marker", marker(ControlRecordType.ABORT));
        write(directory, "compacted", compacted());
        write(directory, "example", new Batch(Compression.NONE).append(example()));
    }

    /** One record for each shape that the format has. */
    static List<SimpleRecord> shapes() {
        Header[] headers = {header("h", "1"), header("h", "2"), header("null", null), header("", "no key"), header("v", "")};
        return List.of(
            new SimpleRecord(TIME, bytes("key1"), bytes("value"), headers),
            new SimpleRecord(TIME - 5, null, bytes("an earlier record without a key")),
            new SimpleRecord(TIME + 1, bytes("some-key"), null),
            new SimpleRecord(TIME + 3_000_000_000L, new byte[0], new byte[0]),
            new SimpleRecord(TIME + 2, bytes("\uc5f4\uc1e0"), pattern(1000), new Header[] {header("\u03bd", "\u03b7")}));
    }

    /** The worked example of engine/record/FORMAT.md. */
    static List<SimpleRecord> example() {
        return List.of(
            new SimpleRecord(TIME, bytes("key1"), bytes("value"), new Header[] {header("h", "1")}),
            new SimpleRecord(TIME + 100, null, bytes("v2"), new Header[] {header("n", null)}));
    }

    /** Enough for several blocks of every codec. */
    static List<SimpleRecord> longRecords() {
        List<SimpleRecord> records = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            records.add(new SimpleRecord(TIME + i, bytes("long-" + i), pattern(60_000 + i)));
        }
        records.add(new SimpleRecord(TIME + 3, bytes("noise"), noise(3_000)));
        return records;
    }

    static Batch producerBatch(boolean transactional) {
        Batch batch = new Batch(Compression.NONE);
        batch.baseOffset = 1_000_000_007L;
        batch.leaderEpoch = 9;
        batch.producerId = 4711;
        batch.producerEpoch = 3;
        batch.baseSequence = 42;
        batch.transactional = transactional;
        return batch;
    }

    static MemoryRecords marker(ControlRecordType type) {
        return MemoryRecords.withEndTransactionMarker(7, TIME, 5, 4711, (short) 3, new EndTransactionMarker(type, 21));
    }

    /** What compaction leaves: offsets with gaps, a last offset without a record, a delete horizon for the base timestamp. */
    static MemoryRecords compacted() {
        Batch batch = new Batch(Compression.NONE);
        batch.baseOffset = 10;
        batch.deleteHorizon = TIME + 86_400_000L;
        MemoryRecordsBuilder builder = batch.builder();
        builder.appendWithOffset(10, new SimpleRecord(TIME, bytes("a"), bytes("1")));
        builder.appendWithOffset(13, new SimpleRecord(TIME + 4, bytes("b"), null));
        builder.appendWithOffset(17, new SimpleRecord(TIME + 2, bytes("c"), bytes("3")));
        builder.overrideLastOffset(20);
        return builder.build();
    }

    /** The parameters of a batch under names of their own. */
    static class Batch {
        final Compression codec;
        TimestampType timestampType = TimestampType.CREATE_TIME;
        long baseOffset = 0;
        long logAppendTime = RecordBatch.NO_TIMESTAMP;
        long producerId = RecordBatch.NO_PRODUCER_ID;
        short producerEpoch = RecordBatch.NO_PRODUCER_EPOCH;
        int baseSequence = RecordBatch.NO_SEQUENCE;
        boolean transactional = false;
        int leaderEpoch = RecordBatch.NO_PARTITION_LEADER_EPOCH;
        long deleteHorizon = RecordBatch.NO_TIMESTAMP;

        Batch(Compression codec) {
            this.codec = codec;
        }

        MemoryRecordsBuilder builder() {
            return new MemoryRecordsBuilder(new ByteBufferOutputStream(1024), RecordBatch.MAGIC_VALUE_V2, codec, timestampType,
                baseOffset, logAppendTime, producerId, producerEpoch, baseSequence, transactional, false, leaderEpoch,
                Integer.MAX_VALUE, deleteHorizon);
        }

        MemoryRecords append(List<SimpleRecord> records) {
            MemoryRecordsBuilder builder = builder();
            records.forEach(builder::append);
            return builder.build();
        }
    }

    static void write(Path directory, String name, MemoryRecords records) throws IOException {
        ByteBuffer buffer = records.buffer().duplicate();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        Files.write(directory.resolve(name + ".bin"), bytes);
        Files.writeString(directory.resolve(name + ".txt"), describe(bytes));
    }

    // ---- what Kafka reads

    static boolean readAll(Path directory) throws IOException {
        List<Path> files;
        try (var listed = Files.list(directory)) {
            files = listed.filter(path -> path.toString().endsWith(".bin")).sorted().toList();
        }
        int differing = 0;
        for (Path file : files) {
            String name = file.getFileName().toString();
            String expected = Files.readString(file.resolveSibling(name.replace(".bin", ".txt")));
            String read;
            try {
                read = describe(Files.readAllBytes(file));
            } catch (RuntimeException refusal) {
                read = refusal.toString();
            }
            boolean same = read.equals(expected);
            differing += same ? 0 : 1;
            System.out.println(name + (same ? ": as LogDyno wrote it" : ": differs\n  Kafka reads\n" + read + "  LogDyno wrote\n" + expected));
        }
        System.out.println(files.size() + " files, " + differing + " differ");
        return differing == 0 && !files.isEmpty();
    }

    static String describe(byte[] bytes) {
        StringBuilder out = new StringBuilder();
        for (MutableRecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(bytes)).batches()) {
            batch.ensureValid();
            out.append(String.format(
                "batch offsets %d..%d count %d size %d epoch %d crc %08x %s %s max %d producer %d/%d/%d%s%s%s%n",
                batch.baseOffset(), batch.lastOffset(), batch.countOrNull(), batch.sizeInBytes(), batch.partitionLeaderEpoch(),
                batch.checksum(), batch.compressionType().name, batch.timestampType().name, batch.maxTimestamp(),
                batch.producerId(), batch.producerEpoch(), batch.baseSequence(),
                batch.isTransactional() ? " transactional" : "", batch.isControlBatch() ? " control" : "",
                batch.deleteHorizonMs().isPresent() ? " horizon " + batch.deleteHorizonMs().getAsLong() : ""));
            try (CloseableIterator<Record> records = batch.streamingIterator(BufferSupplier.NO_CACHING)) {
                records.forEachRemaining(record -> describe(record, out));
            }
        }
        return out.toString();
    }

    static void describe(Record record, StringBuilder out) {
        out.append(String.format("record %d at %d key %s value %s", record.offset(), record.timestamp(),
            part(record.key()), part(record.value())));
        for (Header header : record.headers()) {
            out.append(" header ").append(part(ByteBuffer.wrap(bytes(header.key())))).append(' ');
            out.append(part(header.value() == null ? null : ByteBuffer.wrap(header.value())));
        }
        out.append('\n');
    }

    /** Null, hexadecimal digits in brackets, or for long bytes their length and CRC-32C. */
    static String part(ByteBuffer buffer) {
        if (buffer == null) {
            return "null";
        }
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        if (bytes.length <= 64) {
            return "[" + HexFormat.of().formatHex(bytes) + "]";
        }
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        return String.format("%d bytes %08x", bytes.length, crc.getValue());
    }

    // ---- the same bytes as in LogDyno's tests

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static Header header(String key, String value) {
        return new RecordHeader(key, value == null ? null : bytes(value));
    }

    /** Compressible, but not one byte over and over. */
    static byte[] pattern(int length) {
        byte[] out = new byte[length];
        for (int i = 0; i < length; i++) {
            out[i] = (byte) ('a' + (i % 23 + i / 97) % 26);
        }
        return out;
    }

    /** Bytes that no codec makes smaller: Knuth's 64-bit linear congruential generator, upper byte. */
    static byte[] noise(int length) {
        byte[] out = new byte[length];
        long state = 1;
        for (int i = 0; i < length; i++) {
            state = state * 6364136223846793005L + 1442695040888963407L;
            out[i] = (byte) (state >>> 56);
        }
        return out;
    }
}
