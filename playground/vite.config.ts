import { defineConfig, type Plugin } from "vite";

/** Where Parlor serves the files; the page itself is at the address of the API. */
const BASE = "/playground/";

const DATA_FONT = /url\(["']?data:font\/(\w+);[^,)]*base64,([^"')]+)["']?\)/g;

/**
 * Makes files of the fonts that GraphiQL's style sheet holds as `data:`. The page's policy takes fonts from the server
 * alone, and a browser fetches only those whose characters are shown.
 */
const fontsAsFiles: Plugin = {
  name: "fonts-as-files",
  generateBundle(_, bundle) {
    for (const file of Object.values(bundle)) {
      if (file.type !== "asset" || !file.fileName.endsWith(".css")) continue;
      const text = typeof file.source === "string" ? file.source : new TextDecoder().decode(file.source);
      file.source = text.replaceAll(DATA_FONT, (_all, type: string, base64: string) => {
        const font = this.emitFile({ type: "asset", name: `font.${type}`, source: Buffer.from(base64, "base64") });
        return `url(${BASE}${this.getFileName(font)})`;
      });
    }
  },
};

export default defineConfig({
  base: BASE,
  plugins: [fontsAsFiles],
  build: {
    target: "es2022",
    // Nothing as `data:`, nothing inline: the page's policy takes neither.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // Monaco, the editor, is one of them.
    chunkSizeWarningLimit: 4_096,
    rolldownOptions: {
      onLog(level, log, write) {
        // "use client" of libraries, which says nothing where all is rendered in the browser.
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") write(level, log);
      },
    },
  },
  worker: { format: "es" },
  // `npm run dev`, with a Parlor beside it.
  server: { proxy: { "/graphql": { target: "http://127.0.0.1:4000", ws: true } } },
});
