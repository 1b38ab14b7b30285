// What onnxruntime gives for the records of each FOLDER/*/x.npy: FOLDER/*/y.npy, one record after another, in one line.
//   NODE_PATH=.../node_modules node reference.cjs FOLDER
const fs = require("fs");
const path = require("path");
const ort = require("onnxruntime-node");

function readNpy(file) {
  const bytes = fs.readFileSync(file);
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString("latin1", 10, start);
  if (!header.includes("'<f4'") || header.includes("True")) throw new Error(`${file}: not float32 in C order`);
  const shape = header.match(/\(([^)]*)\)/)[1].split(",").filter((s) => s.trim()).map(Number);
  const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length));
  return { shape, data };
}

function writeNpy(file, shape, data) {
  let header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  header = header.padEnd(64 * Math.ceil((header.length + 11) / 64) - 11) + "\n";
  const start = Buffer.alloc(10);
  start.write("\x93NUMPY\x01\x00", "latin1");
  start.writeUInt16LE(header.length, 8);
  fs.writeFileSync(file, Buffer.concat([start, Buffer.from(header, "latin1"), Buffer.from(data.buffer)]));
}

async function main(folder) {
  for (const name of fs.readdirSync(folder).sort()) {
    const at = (file) => path.join(folder, name, file);
    if (!fs.existsSync(at("model.onnx"))) continue;
    try {
      const session = await ort.InferenceSession.create(at("model.onnx"), { graphOptimizationLevel: "disabled" });
      const { shape, data } = readNpy(at("x.npy"));
      const record = fs.readFileSync(at("shape"), "utf8").split(",").map(Number);
      const each = record.reduce((a, b) => a * b, 1);
      const outputs = [];
      for (let from = 0; from < data.length; from += each) {
        const x = new ort.Tensor("float32", data.slice(from, from + each), record);
        const y = (await session.run({ [session.inputNames[0]]: x }))[session.outputNames[0]];
        outputs.push(...y.data);
      }
      writeNpy(at("y.npy"), [outputs.length], Float32Array.from(outputs));
      await session.release();
    } catch (error) {
      console.log(`skipped  ${path.join(folder, name)}: onnxruntime: ${error.message.split("\n")[0].slice(0, 150)}`);
    }
  }
}

main(process.argv[2]);
