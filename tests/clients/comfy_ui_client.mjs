// Draws with `comfy-ui-client`: node comfy_ui_client.mjs ADDRESS PROMPT.json FOLDER
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const [address, prompt, folder] = process.argv.slice(2);
const require = createRequire(`${process.cwd()}/`);
const { ComfyUIClient } = require("comfy-ui-client");

const client = new ComfyUIClient(new URL(address).host, "comfy-ui-client-test");
await client.connect();
const images = await client.getImages(JSON.parse(readFileSync(prompt, "utf8")));
await client.disconnect();
for (const [node, found] of Object.entries(images))
  for (const [index, { blob }] of found.entries())
    writeFileSync(`${folder}/${node}-${index}.png`, Buffer.from(await blob.arrayBuffer()));
