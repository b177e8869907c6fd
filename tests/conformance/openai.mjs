// The official OpenAI client against a running server: node openai.mjs BASE_URL [KEY]. Exits 0 when every check held.
import assert from "node:assert/strict";
import OpenAI from "openai";

const [baseURL, apiKey = "none"] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${baseURL}/v1`, apiKey, maxRetries: 0 });

const models = [];
for await (const model of client.models.list()) models.push(model.id);
assert.ok(models.length > 0, "a model is listed");
const model = models[0];
assert.equal((await client.models.retrieve(model)).id, model);

const messages = [{ role: "user", content: "What is a KV cache?" }];
const plain = await client.chat.completions.create({ model, messages, max_tokens: 16, temperature: 0, seed: 1 });
assert.equal(plain.object, "chat.completion");
assert.equal(plain.choices.length, 1);
assert.equal(plain.choices[0].message.role, "assistant");
assert.ok(["stop", "length"].includes(plain.choices[0].finish_reason));
assert.equal(plain.usage.total_tokens, plain.usage.prompt_tokens + plain.usage.completion_tokens);

let text = "";
let usage = null;
let finish = null;
const stream = await client.chat.completions.create({
  model, messages, max_tokens: 16, temperature: 0, seed: 1, stream: true, stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  if (chunk.usage) usage = chunk.usage;
  for (const choice of chunk.choices) {
    text += choice.delta.content ?? "";
    finish = choice.finish_reason ?? finish;
  }
}
assert.equal(text, plain.choices[0].message.content, "streamed and whole answers are equal");
assert.equal(finish, plain.choices[0].finish_reason);
assert.equal(usage.completion_tokens, plain.usage.completion_tokens);

const collected = await client.chat.completions.stream({ model, messages, max_tokens: 8, temperature: 0 }).finalChatCompletion();
assert.equal(collected.choices[0].message.role, "assistant");

const several = await client.chat.completions.create({
  model, messages, max_tokens: 4, n: 3, temperature: 1, seed: 7, logprobs: true, top_logprobs: 2,
});
assert.equal(several.choices.length, 3);
assert.deepEqual(several.choices.map((c) => c.index).sort(), [0, 1, 2]);
for (const choice of several.choices) {
  for (const token of choice.logprobs.content) {
    assert.equal(token.top_logprobs.length, 2);
    assert.ok(token.logprob <= 0);
  }
}

const completion = await client.completions.create({ model, prompt: "Hello", max_tokens: 4, temperature: 0, echo: true });
assert.ok(completion.choices[0].text.startsWith("Hello"));

await assert.rejects(client.chat.completions.create({ model: "no-such-model", messages }), (error) => {
  assert.ok(error instanceof OpenAI.NotFoundError);
  assert.equal(error.code, "model_not_found");
  return true;
});
await assert.rejects(client.chat.completions.create({ model, messages, temperature: 99 }), (error) => {
  assert.ok(error instanceof OpenAI.BadRequestError);
  assert.equal(error.param, "temperature");
  return true;
});

const aborted = await client.chat.completions.create({ model, messages, max_tokens: 200, stream: true });
for await (const _ of aborted) break;
aborted.controller.abort();

console.log("ok");
