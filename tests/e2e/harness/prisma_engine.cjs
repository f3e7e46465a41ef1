#!/usr/bin/env node
// Prisma's query engine 5.17.0 as the program that prisma for Python starts: its WebAssembly build, from Prisma's own npm
// packages, behind the program's HTTP interface. The program itself would have to be downloaded from another place.
//
// The build speaks Prisma's JSON protocol and prisma for Python speaks GraphQL, so that queries are rewritten on the way
// in, and values lose their type tags on the way out. What a query means is left to the engine.
"use strict";

const COMMIT = "393aa359c9ad4a4bb28630fb5613f9c281cde053";
if (process.argv.includes("--version")) {
  console.log(`query-engine ${COMMIT}`);
  process.exit(0);
}

const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { createRequire } = require("node:module");

const installed = createRequire(path.join(process.env.PRISMA_ENGINE_PACKAGES, "package.json"));
const { parse } = installed("graphql");
const { Pool } = installed("pg");
const { PrismaPg } = installed("@prisma/adapter-pg");
const { bindAdapter } = installed("@prisma/driver-adapter-utils");

const ACTIONS = [
  "findUniqueOrThrow", "findFirstOrThrow", "findUnique", "findFirst", "findMany", "createManyAndReturn", "createOne",
  "createMany", "updateOne", "updateMany", "deleteOne", "deleteMany", "upsertOne", "aggregate", "groupBy", "executeRaw",
  "queryRaw",
];
const JSON_FILTERS = ["equals", "not", "array_contains", "array_starts_with", "array_ends_with"];

const datamodel = fs
  .readFileSync(process.env.PRISMA_DML_PATH, "utf8")
  .replace(/generator\s+\w+\s*\{[^}]*\}/, 'generator js {\n  provider = "prisma-client-js"\n  previewFeatures = ["driverAdapters"]\n}');
const jsonFields = new Map(
  [...datamodel.matchAll(/^model (\w+) \{(.*?)^\}/gms)].map(([, model, body]) => [
    model,
    new Set([...body.matchAll(/^\s*(\w+)\s+Json\b/gm)].map(([, field]) => field)),
  ]),
);

function engine() {
  const runtime = path.dirname(installed.resolve("@prisma/client/runtime/query_engine_bg.postgresql.js"));
  const glue = installed("@prisma/client/runtime/query_engine_bg.postgresql.js");
  const compiled = new WebAssembly.Module(fs.readFileSync(path.join(runtime, "query_engine_bg.postgresql.wasm")));
  glue.__wbg_set_wasm(new WebAssembly.Instance(compiled, { "./query_engine_bg.js": glue }).exports);
  const options = {
    datamodel, logLevel: "error", logQueries: false, configDir: ".", datasourceOverrides: {}, env: process.env,
    ignoreEnvVarErrors: true, engineProtocol: "json", enableTracing: false,
  };
  const adapter = new PrismaPg(new Pool({ connectionString: process.env.DATABASE_URL.split("?")[0] }));
  return new glue.QueryEngine(options, () => {}, bindAdapter(adapter));
}

function plain(node) {
  switch (node.kind) {
    case "ObjectValue": return Object.fromEntries(node.fields.map((field) => [field.name.value, plain(field.value)]));
    case "ListValue": return node.values.map(plain);
    case "IntValue": return BigInt(node.value) > Number.MAX_SAFE_INTEGER ? node.value : Number(node.value);
    case "FloatValue": return Number(node.value);
    case "NullValue": return null;
    default: return node.value;
  }
}

const asJson = (value) => (typeof value === "string" ? { $type: "Json", value } : value);

function typed(value, json) {
  if (Array.isArray(value)) return value.map((item) => typed(item, json));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => {
      if (!json.has(name)) return [name, typed(item, json)];
      if (item === null || typeof item !== "object") return [name, asJson(item)];
      return [name, Object.fromEntries(Object.entries(item).map(([key, part]) => [key, JSON_FILTERS.includes(key) ? asJson(part) : part]))];
    }),
  );
}

function selection(node) {
  const chosen = {};
  for (const field of node?.selections ?? []) {
    const args = Object.fromEntries(field.arguments.map((argument) => [argument.name.value, plain(argument.value)]));
    chosen[field.name.value] = field.selectionSet ? { arguments: args, selection: selection(field.selectionSet) } : true;
  }
  return chosen;
}

function rewritten(query) {
  const field = parse(query).definitions[0].selectionSet.selections[0];
  const name = field.name.value;
  const action = ACTIONS.find((known) => name.startsWith(known));
  const modelName = name.slice(action.length);
  const args = Object.fromEntries(field.arguments.map((argument) => [argument.name.value, plain(argument.value)]));
  const asked = { arguments: typed(args, jsonFields.get(modelName) ?? new Set()), selection: selection(field.selectionSet) };
  return { ...(modelName && { modelName }), action, query: asked };
}

function untyped(value) {
  if (Array.isArray(value)) return value.map(untyped);
  if (value === null || typeof value !== "object") return value;
  if ("$type" in value) return value.value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, untyped(item)]));
}

const answered = (one) => (one.data ? { ...one, data: { result: untyped(Object.values(one.data)[0]) } } : one);

async function serve(running, method, url, headers, body) {
  if (method === "GET") return { status: "ok" };
  const [, part, id, end] = url.split("/");
  if (part === "transaction" && id === "start") return JSON.parse(await running.startTransaction(body, "{}"));
  if (part === "transaction") {
    return JSON.parse(await (end === "commit" ? running.commitTransaction(id, "{}") : running.rollbackTransaction(id, "{}")) || "{}");
  }
  const asked = JSON.parse(body);
  const transaction = headers["x-transaction-id"];
  if (!asked.batch) return answered(JSON.parse(await running.query(JSON.stringify(rewritten(asked.query)), "{}", transaction)));
  const batch = { batch: asked.batch.map((one) => rewritten(one.query)), transaction: asked.transaction ? {} : null };
  const result = JSON.parse(await running.query(JSON.stringify(batch), "{}", transaction));
  return result.batchResult ? { batchResult: result.batchResult.map(answered) } : result;
}

async function main() {
  const running = engine();
  await running.connect("{}");
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", async () => {
      let status = 200;
      let said;
      try {
        said = await serve(running, request.method, request.url, request.headers, Buffer.concat(chunks).toString());
      } catch (error) {
        status = 500;
        said = { errors: [{ error: String(error) }] };
        console.error(`prisma_engine: ${error} in ${Buffer.concat(chunks).toString().slice(0, 2000)}`);
      }
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(said));
    });
  });
  server.listen(Number(process.argv[process.argv.indexOf("-p") + 1]), "localhost");
}

main();
