import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.Readable;

/**
 * Reads lines "name version json|direct base64", decodes the bytes with Kafka's class of that name, takes the message through
 * its JSON form if told so, encodes it again and prints the bytes in base64, or "error" and the reason, one line per line.
 */
public final class RoundTrip {
  private static final String[] CLASS_NAMES = {
    "org.apache.kafka.common.message.%sData",
    "org.apache.kafka.common.message.%s",
    "org.apache.kafka.common.metadata.%s",
    "org.apache.kafka.coordinator.group.generated.%s",
    "org.apache.kafka.coordinator.transaction.generated.%s",
    "org.apache.kafka.coordinator.share.generated.%s",
    "org.apache.kafka.raft.generated.%s",
    "org.apache.kafka.server.log.remote.metadata.storage.generated.%s",
  };

  private static final Map<String, Class<?>> CLASSES = new HashMap<>();

  private static Class<?> classOf(String name) throws ClassNotFoundException {
    Class<?> known = CLASSES.get(name);
    if (known != null) return known;
    for (String pattern : CLASS_NAMES) {
      try {
        Class<?> found = Class.forName(String.format(pattern, name));
        CLASSES.put(name, found);
        return found;
      } catch (ClassNotFoundException e) {
        // The next package may have it.
      }
    }
    throw new ClassNotFoundException(name);
  }

  private static byte[] encode(Message message, short version) {
    ObjectSerializationCache cache = new ObjectSerializationCache();
    ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
    message.write(new ByteBufferAccessor(buffer), cache, version);
    if (buffer.hasRemaining()) throw new IllegalStateException(buffer.remaining() + " bytes announced but not written");
    return buffer.array();
  }

  private static Message throughJson(Message message, short version) throws Exception {
    Class<?> type = message.getClass();
    Class<?> converter = Class.forName(type.getName() + "JsonConverter");
    Object json = converter.getMethod("write", type, short.class).invoke(null, message, version);
    return (Message) converter.getMethod("read", JsonNode.class, short.class).invoke(null, json, version);
  }

  private static byte[] roundTrip(String[] words) throws Exception {
    short version = Short.parseShort(words[1]);
    ByteBuffer in = ByteBuffer.wrap(words.length > 3 ? Base64.getDecoder().decode(words[3]) : new byte[0]);
    Message message = (Message) classOf(words[0])
        .getConstructor(Readable.class, short.class)
        .newInstance(new ByteBufferAccessor(in), version);
    if (in.hasRemaining()) throw new IllegalStateException(in.remaining() + " bytes left over: " + message);
    if (words[2].equals("json")) message = throughJson(message, version);
    return encode(message, version);
  }

  public static void main(String[] args) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in), 1 << 20);
    PrintStream out = new PrintStream(System.out, false, "UTF-8");
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      try {
        out.println(Base64.getEncoder().encodeToString(roundTrip(line.split(" "))));
      } catch (Exception e) {
        Throwable cause = e instanceof InvocationTargetException ? e.getCause() : e;
        out.println("error " + cause.toString().replace('\n', ' '));
      }
    }
    out.flush();
  }
}
