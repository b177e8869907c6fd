// gRPC's own Node client against a running server: node grpc.mjs HOST:PORT [KEY]. Exits 0 when every check held.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const [address, key] = process.argv.slice(2);
const protos = fileURLToPath(new URL("../../src/InferenceServer/Grpc/Protos", import.meta.url));
const files = ["inference.proto", "control.proto", "health.proto", "reflection.proto"];
const root = grpc.loadPackageDefinition(
  loader.loadSync(files, { includeDirs: [protos], keepCase: true, defaults: true, oneofs: true, enums: String, longs: Number }));
const credentials = grpc.credentials.createInsecure();
const { status } = grpc;

const open = (Service, options = {}) => new Service(address, credentials, options);
const metadata = (wrongKey) => {
  const values = new grpc.Metadata();
  if (wrongKey ?? key) values.set("authorization", `Bearer ${wrongKey ?? key}`);
  return values;
};
const call = (client, method, request, options = {}, md = metadata()) => new Promise((resolve, reject) =>
  client[method](request, md, options, (error, response) => (error ? reject(error) : resolve(response))));
const drain = async (stream) => {
  const all = [];
  for await (const one of stream) all.push(one);
  return all;
};
const fails = (promise, code, ...words) => assert.rejects(promise, (error) => {
  assert.equal(error.code, code, error.message);
  for (const word of words) assert.ok(error.details.includes(word), `'${error.details}' says '${word}'`);
  return true;
});

const inference = open(root.vllm.Inference);
const control = open(root.vllm.Control);
const info = await call(control, "GetServerInfo", {});
assert.ok(info.max_model_len > 0 && info.total_kv_blocks > 0);
const model = await call(control, "GetModelInfo", {});
assert.ok(model.model_id.length > 0 && model.supports_token_ids_input);

// Whole and streamed.
const request = {
  text: "What is a KV cache?", temperature: 0, sampling: { seed: 1 }, stopping: { max_new_tokens: 16 },
  response: { output_token_ids: true, output_logprobs: true, prompt_token_ids: true },
};
const whole = await call(inference, "Generate", request);
assert.ok(["LENGTH", "STOP"].includes(whole.outputs.finish_info.finish_reason));
assert.equal(whole.outputs.token_ids.length, whole.outputs.num_tokens);
assert.ok(whole.outputs.logprobs.every((logprob) => logprob <= 0));
const stream = await drain(inference.GenerateStream(request, metadata()));
assert.equal(stream.map((r) => r.outputs.text).join(""), whole.outputs.text);
assert.deepEqual(stream.flatMap((r) => r.outputs.token_ids), whole.outputs.token_ids);
assert.deepEqual(stream.at(-1).outputs.finish_info, whole.outputs.finish_info);
assert.deepEqual(stream.filter((r) => r.prompt_info).length, 1);
const again = await call(inference, "Generate", { ...request, text: undefined, token_ids: { ids: whole.prompt_info.token_ids } });
assert.deepEqual(again.outputs.token_ids, whole.outputs.token_ids, "ids in place of the text");
const several = await drain(inference.GenerateStream({ ...request, temperature: 1, sampling: { num_sequences: 3, seed: 7 } }, metadata()));
assert.deepEqual(several.filter((r) => r.outputs.finish_info).map((r) => r.outputs.index).sort(), [0, 1, 2]);

// Statuses.
await fails(call(inference, "Generate", { ...request, model: "größer-als-alle €" }), status.NOT_FOUND, "größer-als-alle €");
await fails(call(inference, "Generate", { ...request, temperature: 99 }), status.INVALID_ARGUMENT, "temperature");
await fails(call(inference, "Generate", { ...request, decoding: { json: "{}" } }), status.INVALID_ARGUMENT, "decoding.json");
await fails(drain(inference.GenerateStream({ ...request, text: undefined }, metadata())), status.INVALID_ARGUMENT, "prompt");
if (key) await fails(call(inference, "Generate", request, {}, metadata("wrong-wrong")), status.UNAUTHENTICATED);

class Unknown extends grpc.makeGenericClientConstructor({
  Nothing: {
    path: "/vllm.Inference/Nothing", requestStream: false, responseStream: false,
    requestSerialize: (b) => b, requestDeserialize: (b) => b, responseSerialize: (b) => b, responseDeserialize: (b) => b,
  },
}) {}
await fails(call(open(Unknown), "Nothing", Buffer.alloc(0)), status.UNIMPLEMENTED, "Nothing");

// Deadline, cancel, abort: each on a request that would go on for long.
const long = { ...request, text: "Once", stopping: { max_new_tokens: info.max_model_len - 64, ignore_eos: true } };
const longer = { ...long, sampling: { num_sequences: 16 } };
await fails(call(inference, "Generate", long, { deadline: Date.now() + 30 }), status.DEADLINE_EXCEEDED);
await fails(drain(inference.GenerateStream(longer, metadata(), { deadline: Date.now() + 30 })), status.DEADLINE_EXCEEDED);
const cancelled = inference.GenerateStream(longer, metadata());
await fails((async () => { for await (const _ of cancelled) cancelled.cancel(); })(), status.CANCELLED);
const aborted = inference.GenerateStream({ ...longer, request_id: "abort-me" }, metadata());
let last = null;
for await (const response of aborted) {
  if (last === null) await call(control, "Abort", { request_ids: ["abort-me"] });
  last = response;
}
assert.equal(last.outputs.finish_info.finish_reason, "ABORTED");

// Sizes and compression.
await fails(call(inference, "Generate", { ...request, text: "x".repeat(33 << 20) }), status.RESOURCE_EXHAUSTED, "bytes");
const gzip = open(root.vllm.Inference, { "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip });
await fails(call(gzip, "Generate", request), status.UNIMPLEMENTED, "gzip");
assert.equal((await call(inference, "Generate", request)).outputs.text, whole.outputs.text, "the same answer after all that");

// Many at once over one connection.
const crowd = await Promise.all(Array.from({ length: 50 }, () => call(inference, "Generate", request)));
assert.ok(crowd.every((r) => r.outputs.text === whole.outputs.text));

// Health.
const health = open(root.grpc.health.v1.Health);
for (const service of ["", "liveness", "readiness", "vllm.Inference"]) assert.equal((await call(health, "Check", { service })).status, "SERVING");
await fails(call(health, "Check", { service: "no.Such" }), status.NOT_FOUND);
const watch = health.Watch({ service: "readiness" }, metadata());
await fails((async () => {
  for await (const state of watch) {
    assert.equal(state.status, "SERVING");
    watch.cancel();
  }
})(), status.CANCELLED);

// Reflection.
const reflection = open(root.grpc.reflection.v1.ServerReflection).ServerReflectionInfo(metadata());
const answers = drain(reflection);
reflection.write({ list_services: "" });
reflection.write({ file_containing_symbol: "vllm.Inference" });
reflection.write({ file_by_filename: "nothing.proto" });
reflection.end();
const [services, described, missing] = await answers;
assert.ok(services.list_services_response.service.some((s) => s.name === "vllm.Inference"));
assert.ok(described.file_descriptor_response.file_descriptor_proto.some((file) => file.includes("GenerateStream")));
assert.equal(missing.error_response.error_code, status.NOT_FOUND);

console.log("ok");
