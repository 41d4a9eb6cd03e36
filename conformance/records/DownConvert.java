import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.Utils;

/**
 * Down-conversion as Apache Kafka 3.9, the last with it, does it. Takes lines of magic, first offset and batches in
 * base64, and prints the converted message sets in base64.
 */
public final class DownConvert {
    public static void main(String[] args) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] fields = line.split(" ");
            MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(Base64.getDecoder().decode(fields[2])));
            MemoryRecords converted = (MemoryRecords) records
                .downConvert(Byte.parseByte(fields[0]), Long.parseLong(fields[1]), Time.SYSTEM)
                .records();
            System.out.println(Base64.getEncoder().encodeToString(Utils.toArray(converted.buffer())));
        }
    }
}
