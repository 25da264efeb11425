// Runs a Node.js function once, as Lambda's runtime does. Its arguments name two files: the
// request, and the response that it writes. What the function prints is its log.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { Writable } = require("node:stream");
const { pathToFileURL } = require("node:url");
const { format } = require("node:util");

const [requestFile, responseFile] = process.argv.slice(2);
const request = JSON.parse(fs.readFileSync(requestFile, "utf8"));
const major = Number(process.versions.node.split(".")[0]);
const STREAMED = Symbol("streamed");

// ---------------------------------------------------------------- response

let answered = false;

function answer(payload, error) {
  if (answered) return;
  answered = true;
  fs.writeFileSync(responseFile, JSON.stringify({ payload, error, peak: peakMemory() }));
}

function finish() {
  process.exit(0); // Lambda waits for nothing else
}

function succeed(result) {
  const payload = JSON.stringify(result);
  answer(payload === undefined ? "null" : payload, "");
}

function fail(error, label = "Invoke Error ") {
  const described = describe(error);
  if (!answered) console.error(label, JSON.stringify(described));
  answer(JSON.stringify(described), "Unhandled");
  finish();
}

function describe(error) {
  if (error instanceof Error || (error && error.stack && error.message !== undefined)) {
    const trace = String(error.stack).split("\n");
    return { errorType: error.errorType || error.name, errorMessage: error.message, trace };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

function named(kind, message) {
  return Object.assign(new Error(message), { errorType: `Runtime.${kind}` });
}

// On Linux, `resourceUsage` also counts the process which started this one.
function peakMemory() {
  try {
    const status = fs.readFileSync("/proc/self/status", "utf8");
    return Number(/VmHWM:\s*(\d+)/.exec(status)[1]) * 1024;
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}

// ---------------------------------------------------------------- surroundings

const levels = { log: "INFO", info: "INFO", debug: "DEBUG", trace: "TRACE", warn: "WARN", error: "ERROR" };
for (const [method, level] of Object.entries(levels)) {
  console[method] = (...words) => {
    const time = new Date().toISOString();
    process.stdout.write(`${time}\t${request.request_id}\t${level}\t${format(...words)}\n`);
  };
}

globalThis.awslambda = {
  streamifyResponse(handler) {
    handler[STREAMED] = true;
    return handler;
  },
  HttpResponseStream: {
    from(stream, metadata) {
      stream.write(JSON.stringify(metadata));
      stream.write(Buffer.alloc(8));
      return stream;
    },
  },
};

process.on("uncaughtException", (error) => fail(error, "Uncaught Exception "));
process.on("unhandledRejection", (reason) => {
  const message = reason instanceof Error ? `${reason.name}: ${reason.message}` : String(reason);
  fail(named("UnhandledPromiseRejection", message), "Unhandled Promise Rejection ");
});
process.on("beforeExit", () => {
  succeed(null); // nothing is left to do, and nothing was answered
  finish();
});

// ---------------------------------------------------------------- handler

async function load(root, handler) {
  const folder = path.dirname(handler);
  const [module, ...names] = path.basename(handler).split(".");
  const loaded = await loadModule(path.resolve(root, folder, module));
  const found = names.reduce((value, name) => value && value[name], loaded);
  if (found === undefined) throw named("HandlerNotFound", `${handler} is undefined or not exported`);
  if (typeof found !== "function") throw named("HandlerNotFound", `${handler} is not a function`);
  if (major >= 24 && found.length > 2 && !found[STREAMED]) {
    throw named(
      "CallbackHandlerDeprecated",
      "AWS Lambda has removed support for callback-based function handlers starting with Node.js 24.",
    );
  }
  return found;
}

async function loadModule(stem) {
  try {
    if (fs.existsSync(`${stem}.js`) && !isModule(path.dirname(stem))) return require(`${stem}.js`);
    const own = [".js", ".mjs"].map((suffix) => stem + suffix).find(fs.existsSync);
    return own ? await import(pathToFileURL(own)) : require(stem + (fs.existsSync(`${stem}.cjs`) ? ".cjs" : ""));
  } catch (error) {
    if (error instanceof SyntaxError) throw named("UserCodeSyntaxError", String(error));
    if (["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND"].includes(error && error.code)) {
      throw named("ImportModuleError", String(error));
    }
    throw error;
  }
}

function isModule(folder) {
  for (let each = folder; ; each = path.dirname(each)) {
    const manifest = path.join(each, "package.json");
    if (fs.existsSync(manifest)) return JSON.parse(fs.readFileSync(manifest, "utf8")).type === "module";
    if (each === path.dirname(each) || path.basename(each) === "node_modules") return false;
  }
}

async function run(handler) {
  const deadline = Date.now() + request.timeout * 1000;
  const callback = (error, result) => (error ? fail(error) : succeed(result));
  const done = (error, result) => {
    callback(error, result);
    finish();
  };
  const context = {
    callbackWaitsForEmptyEventLoop: true,
    awsRequestId: request.request_id,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    invokedFunctionArn: request.arn,
    clientContext: request.client_context ?? undefined,
    identity: undefined,
    tenantId: request.tenant_id ?? undefined,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
    done,
    succeed: (result) => done(null, result),
    fail: (error) => done(error ?? "handled"),
  };
  if (handler[STREAMED]) return stream(handler, context);
  const result = handler(request.event, context, (error, value) => {
    callback(error, value);
    if (!context.callbackWaitsForEmptyEventLoop) finish();
  });
  if (result && typeof result.then === "function") {
    succeed(await result);
    finish();
  }
}

async function stream(handler, context) {
  const chunks = [];
  const response = new Writable({
    write(chunk, encoding, next) {
      chunks.push(Buffer.from(chunk, encoding));
      next();
    },
  });
  response.setContentType = () => {};
  const ended = new Promise((resolve, reject) => response.on("finish", resolve).on("error", reject));
  await handler(request.event, response, context);
  await ended;
  answer(Buffer.concat(chunks).toString(), "");
  finish();
}

(async () => {
  try {
    const handler = await load(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
    process.stdout.write(`${request.start}\n`);
    await run(handler);
  } catch (error) {
    fail(error);
  }
})();
