import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs one tool of Apache Kafka after the other in one virtual machine, which is much faster than one for each.
 *
 * <p>A line of input is a command: its standard input, its class and its arguments, each in base64, with tabs between.
 * A line of output is what came of it: exit status, standard output, standard error. A tool that does not end in a minute
 * is left alone, with status -1. Tools that leave by System.exit cannot be run so.
 */
public final class ToolRunner {
    private static final class Left extends Error {
        Left() {
            super("the tool is done", null, false, false);
        }
    }

    private static final long LIMIT_MS = 60_000;
    private static final List<Runnable> hooks = new CopyOnWriteArrayList<>();
    private static volatile Integer status;

    public static void main(String[] args) throws Exception {
        PrintStream answers = System.out;
        Exit.setExitProcedure((code, message) -> {
            if (status == null) status = code;
            throw new Left();
        });
        Exit.setHaltProcedure((code, message) -> {
            if (status == null) status = code;
            throw new Left();
        });
        Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] fields = Arrays.stream(line.split("\t", -1)).map(ToolRunner::decode).toArray(String[]::new);
            answers.println(run(fields));
        }
        answers.flush();
        Runtime.getRuntime().halt(0);
    }

    private static String run(String[] fields) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        status = null;
        hooks.clear();
        System.setIn(new ByteArrayInputStream(fields[0].getBytes(StandardCharsets.UTF_8)));
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
        Thread tool = new Thread(() -> {
            attempt(() -> {
                String[] rest = Arrays.copyOfRange(fields, 2, fields.length);
                Class.forName(fields[1]).getMethod("main", String[].class).invoke(null, (Object) rest);
            });
            for (Runnable hook : List.copyOf(hooks)) attempt(hook::run);
        });
        tool.setDaemon(true);
        tool.start();
        tool.join(LIMIT_MS);
        if (tool.isAlive()) status = -1;
        System.out.flush();
        System.err.flush();
        return (status == null ? 0 : status) + "\t" + encode(out) + "\t" + encode(err);
    }

    private interface Action {
        void run() throws Exception;
    }

    private static void attempt(Action action) {
        try {
            action.run();
        } catch (Throwable thrown) {
            Throwable cause = thrown instanceof InvocationTargetException ? thrown.getCause() : thrown;
            if (cause instanceof Left) return;
            cause.printStackTrace(System.err);
            if (status == null) status = 1;
        }
    }

    private static String decode(String field) {
        return new String(Base64.getDecoder().decode(field), StandardCharsets.UTF_8);
    }

    private static String encode(ByteArrayOutputStream bytes) {
        return Base64.getEncoder().encodeToString(bytes.toByteArray());
    }
}
