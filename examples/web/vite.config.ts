import { defineConfig, type PluginOption } from "vite";

/** Where `npm run dev` finds Parlor. */
const server = process.env.PARLOR ?? "http://127.0.0.1:4000";

export default defineConfig(async ({ command }) => ({
  // Relative, so that the app runs at any path.
  base: "./",
  // Keeps the state of components while they are edited. The build needs no plugin.
  plugins: command === "serve" ? [await fastRefresh()] : [],
  server: { proxy: { "/graphql": { target: server, ws: true }, "/files": { target: server } } },
  esbuild: { jsx: "automatic" as const },
  build: {
    target: "es2022",
    // Neither inline scripts nor data: URLs, so that a strict Content-Security-Policy lets everything pass.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
}));

async function fastRefresh(): Promise<PluginOption> {
  const { default: react } = await import("@vitejs/plugin-react");
  return react();
}
