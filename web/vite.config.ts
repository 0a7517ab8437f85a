/** How the canvas is built: into the server's static folder, with compressed siblings. */
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { compressed } from "./bundling/compressed.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const server = "http://127.0.0.1:8188";

export default defineConfig({
  plugins: [react(), compressed()],
  resolve: { alias: { "@": here("./src") } },
  build: {
    outDir: here("../server/safelight_server/static"),
    emptyOutDir: true,
    target: "es2023",
    // A data: font would break the content security policy, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
  },
  server: {
    proxy: {
      "/api": { target: server, changeOrigin: true },
      "/ws": { target: server.replace("http", "ws"), ws: true },
    },
  },
  test: {
    // Tests that need a page say so in their first line.
    environment: "node",
    include: ["tests/**/*.test.{ts,tsx}"],
    restoreMocks: true,
    testTimeout: 20_000,
  },
});
