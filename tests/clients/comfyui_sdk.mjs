// Draws with `@saintno/comfyui-sdk`: node comfyui_sdk.mjs ADDRESS PROMPT.json FOLDER
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const [address, prompt, folder] = process.argv.slice(2);
const require = createRequire(`${process.cwd()}/`);
const { CallWrapper, ComfyApi, PromptBuilder } = require("@saintno/comfyui-sdk");

const api = new ComfyApi(address, "comfyui-sdk-test").init();
await api.waitForReady();
const workflow = new PromptBuilder(JSON.parse(readFileSync(prompt, "utf8")), ["seed"], ["picture"])
  .setInputNode("seed", "5.inputs.seed")
  .setOutputNode("picture", "7")
  .input("seed", 11);
const steps = [];
const done = await new CallWrapper(api, workflow)
  .onProgress(({ value }) => steps.push(value))
  .onFailed((error) => {
    console.error(error);
    process.exit(1);
  })
  .run();
for (const [index, image] of done.picture.images.entries()) {
  const blob = await api.getImage(image);
  writeFileSync(`${folder}/${index}.png`, Buffer.from(await blob.arrayBuffer()));
}
console.log(JSON.stringify({ steps }));
process.exit(0);
