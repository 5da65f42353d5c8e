// Compiles the contracts of src/ into core_api/chain/artifacts/, and those of test/ into tests/contracts/artifacts/.
// With --check it writes nothing and fails if what is committed is not what the sources give, to the byte.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";
import { rearranged, storageLayout } from "./storage.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const PROJECT = dirname(HERE);
const LAYOUT = join(HERE, "storage-layout.json");
const LARGEST_CODE = 24_576; // bytes: what a chain takes (EIP-170)

const SETTINGS = {
  evmVersion: "cancun", // OpenZeppelin 5 uses mcopy, the marketplace transient storage
  optimizer: { enabled: true, runs: 200 },
  metadata: { bytecodeHash: "none" }, // or each comment would change the bytecode
};

function solidityFiles(folder) {
  const names = readdirSync(join(HERE, folder)).filter((name) => name.endsWith(".sol"));
  return names.sort().map((name) => `${folder}/${name}`);
}

function compile(files) {
  const wanted = { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "storageLayout"], "": ["ast"] };
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(files.map((name) => [name, { content: readFileSync(join(HERE, name), "utf8") }])),
    settings: { ...SETTINGS, outputSelection: Object.fromEntries(files.map((name) => [name, wanted])) },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: readPackage }));
  // Warnings are errors, except in packages.
  const problems = (output.errors ?? []).filter(
    (problem) => problem.severity === "error" || files.includes(problem.sourceLocation?.file),
  );
  if (problems.length > 0) throw new Error(problems.map((problem) => problem.formattedMessage).join("\n"));
  return output;
}

function readPackage(path) {
  const file = join(HERE, "node_modules", path);
  return existsSync(file) ? { contents: readFileSync(file, "utf8") } : { error: "no such file" };
}

/** The artifacts of all contracts that can be deployed: path and text. */
function* artifacts(output, files, folder) {
  for (const [name, contract] of files.flatMap((file) => Object.entries(output.contracts[file]))) {
    const size = contract.evm.deployedBytecode.object.length / 2;
    if (size > LARGEST_CODE) throw new Error(`${name} has ${size} bytes, more than ${LARGEST_CODE}`);
    if (size > 0) {
      const artifact = {
        contractName: name,
        abi: contract.abi,
        bytecode: `0x${contract.evm.bytecode.object}`,
        compiler: { version: solc.version(), settings: SETTINGS },
      };
      yield [join(PROJECT, folder, `${name}.json`), text(artifact)];
    }
  }
}

/** JSON with its keys in the order in which they were given; solc's own order is the same at each run. */
function text(value) {
  return `${JSON.stringify(value, null, 1)}\n`;
}

function build() {
  const [product, test] = [solidityFiles("src"), solidityFiles("test")];
  const output = compile([...product, ...test]);
  const layout = storageLayout(output, product);
  const broken = existsSync(LAYOUT) ? rearranged(JSON.parse(readFileSync(LAYOUT, "utf8")), layout) : [];
  if (broken.length > 0) throw new Error(`contracts that are deployed could not be upgraded: ${broken} was rearranged`);
  return new Map([
    ...artifacts(output, product, "core_api/chain/artifacts"),
    ...artifacts(output, test, "tests/contracts/artifacts"),
    [LAYOUT, text(layout)],
  ]);
}

function write(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

function check(path, content) {
  if (!existsSync(path) || readFileSync(path, "utf8") !== content) {
    throw new Error(`${relative(PROJECT, path)} is not what the sources give: run npm run compile in contracts/`);
  }
}

try {
  const handle = process.argv.includes("--check") ? check : write;
  for (const [path, content] of build()) {
    handle(path, content);
    console.log(relative(PROJECT, path));
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
