import java.io.FileInputStream;
import java.nio.charset.StandardCharsets;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/** Prints each entry of an archive as JSON, name and text, reading it as a stream: front to back, once. */
public class Entries {
    public static void main(String[] arguments) throws Exception {
        try (ZipInputStream archive = new ZipInputStream(new FileInputStream(arguments[0]))) {
            StringBuilder out = new StringBuilder("{");
            for (ZipEntry entry; (entry = archive.getNextEntry()) != null; ) {
                String text = new String(archive.readAllBytes(), StandardCharsets.UTF_8);
                out.append(out.length() > 1 ? "," : "").append(quoted(entry.getName())).append(":").append(quoted(text));
            }
            System.out.println(out.append("}"));
        }
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            out.append(c >= ' ' && c < 127 && c != '"' && c != '\\' ? String.valueOf(c) : String.format("\\u%04x", (int) c));
        }
        return out.append('"').toString();
    }
}
