import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.utils.Utils;

/**
 * Apache Kafka's side of the record format. `write` prints a line per format, codec and level: name, batch in base64 and
 * digest of the records. `read` takes lines of base64 and prints the digest of the records in each.
 */
public final class Records {
    private static final int[] GZIP_LEVELS = {-1, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    private static final int[] ZSTD_LEVELS = {-131072, -1000, -7, -1, 0, 1, 3, 5, 7, 9, 12, 15, 17, 19, 20, 22};

    public static void main(String[] args) throws Exception {
        if (args[0].equals("write")) {
            for (byte magic = 0; magic <= 2; magic++) write(magic);
        } else {
            BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
            for (String line = lines.readLine(); line != null; line = lines.readLine()) read(line);
        }
    }

    private static void write(byte magic) throws Exception {
        writeOne("none", magic, Compression.NONE);
        for (int level : GZIP_LEVELS) writeOne("gzip " + level, magic, Compression.gzip().level(level).build());
        writeOne("snappy", magic, Compression.snappy().build());
        for (int level = 1; level <= 17; level++) writeOne("lz4 " + level, magic, Compression.lz4().level(level).build());
        if (magic < 2) return;
        for (int level : ZSTD_LEVELS) writeOne("zstd " + level, magic, Compression.zstd().level(level).build());
    }

    private static void writeOne(String name, byte magic, Compression compression) throws Exception {
        long base = 1_000_000_007L;
        TimestampType type = magic == 0 ? TimestampType.NO_TIMESTAMP_TYPE : TimestampType.CREATE_TIME;
        MemoryRecordsBuilder builder = magic < 2
            ? MemoryRecords.builder(ByteBuffer.allocate(1024), magic, compression, type, base)
            : MemoryRecords.builder(ByteBuffer.allocate(1024), magic, compression, type, base, -1L, 77L, (short) 3, 12, true, 9);
        Random random = new Random(magic);
        for (int i = 0; i < 250; i++) {
            long timestamp = magic == 0 ? -1 : 1_700_000_000_000L + random.nextInt(100_000);
            byte[] key = i % 7 == 0 ? null : ("key-" + random.nextInt(1000)).getBytes(StandardCharsets.UTF_8);
            Header[] headers = magic < 2 || i % 3 > 0 ? new Header[0] : new Header[] {
                new RecordHeader("trace-é", key), new RecordHeader("", new byte[0])};
            builder.append(timestamp, key, i % 11 == 0 ? null : value(random, i), headers);
        }
        MemoryRecords records = builder.build();
        byte[] bytes = Utils.toArray(records.buffer());
        System.out.println(magic + " " + name + "\t" + Base64.getEncoder().encodeToString(bytes) + "\t" + digest(records));
    }

    private static byte[] value(Random random, int i) {
        if (i % 50 == 49) {
            byte[] noise = new byte[3000];
            random.nextBytes(noise);
            return noise;
        }
        StringBuilder text = new StringBuilder();
        while (text.length() < 900) {
            text.append("{\"id\":").append(random.nextInt(100_000)).append(",\"state\":\"active\",\"n\":").append(i).append("}");
        }
        return text.toString().getBytes(StandardCharsets.UTF_8);
    }

    private static void read(String line) {
        try {
            MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(Base64.getDecoder().decode(line)));
            System.out.println(digest(records));
        } catch (Exception error) {
            System.out.println(error.toString().replace('\n', ' '));
        }
    }

    private static String digest(MemoryRecords records) throws Exception {
        List<String> lines = new ArrayList<>();
        for (RecordBatch batch : records.batches()) {
            batch.ensureValid();
            if (batch.magic() == 2) {
                lines.add(String.join(" ", batch.baseOffset() + "", batch.lastOffset() + "", batch.maxTimestamp() + "",
                    batch.partitionLeaderEpoch() + "", batch.producerId() + "", batch.producerEpoch() + "",
                    batch.baseSequence() + "", batch.isTransactional() + "", batch.isControlBatch() + "",
                    batch.timestampType().id + "", batch.compressionType().name, batch.deleteHorizonMs().orElse(-1L) + ""));
            }
            for (Record record : batch) {
                record.ensureValid();
                lines.add(line(record));
                if (batch.isControlBatch() && ControlRecordType.parse(record.key()).type() < 2) {
                    EndTransactionMarker marker = EndTransactionMarker.deserialize(record);
                    lines.add(marker.controlType().type() + " " + marker.coordinatorEpoch());
                }
            }
        }
        byte[] text = String.join("\n", lines).getBytes(StandardCharsets.UTF_8);
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(text));
    }

    private static String line(Record record) {
        StringBuilder line = new StringBuilder();
        line.append(record.offset()).append(' ').append(record.timestamp());
        line.append(' ').append(hex(record.key())).append(' ').append(hex(record.value()));
        for (Header header : record.headers()) {
            byte[] value = header.value();
            line.append(' ').append(header.key()).append('=').append(value == null ? "null" : HexFormat.of().formatHex(value));
        }
        return line.toString();
    }

    private static String hex(ByteBuffer bytes) {
        return bytes == null ? "null" : HexFormat.of().formatHex(Utils.toArray(bytes));
    }
}
