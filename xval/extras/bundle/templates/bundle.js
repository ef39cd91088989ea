"use strict";
// Runs the model of model.js by onnxruntime-web on files and on microphone input.

const facts = window.xvalModel.facts;
const SILENT = 1e-4;  // -80 dB of full scale
const LOUDEST = 2 ** 32;  // as where xval reads audio
const NEARLY = 0.99;
let recording = null;  // the last microphone input that was predicted, a WAV file
const byId = (name) => document.getElementById(name);

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function load() {
  const module = new Blob([await unpack(window.xvalRuntime.module)], { type: "text/javascript" });
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.proxy = false;
  ort.env.wasm.wasmBinary = (await unpack(window.xvalRuntime.wasm)).buffer;
  ort.env.wasm.wasmPaths = { mjs: URL.createObjectURL(module) };
  return ort.InferenceSession.create(await unpack(window.xvalModel.onnx), { executionProviders: ["wasm"] });
}

// The samples of a WAV file at the model's rate, as libsndfile reads them; null: it is another kind of file, or rate.
function readWav(buffer) {
  const view = new DataView(buffer);
  const name = (at) => String.fromCharCode(...new Uint8Array(buffer, at, 4));
  if (buffer.byteLength < 12 || name(0) !== "RIFF" || name(8) !== "WAVE") return null;
  let format = null;
  for (let at = 12; at + 8 <= buffer.byteLength; at += 8 + view.getUint32(at + 4, true) + (view.getUint32(at + 4, true) % 2)) {
    const begin = at + 8;
    if (name(at) === "fmt ") {
      const code = view.getUint16(begin, true);
      format = {
        code: code === 0xfffe ? view.getUint16(begin + 24, true) : code,
        channels: view.getUint16(begin + 2, true),
        rate: view.getUint32(begin + 4, true),
        bits: view.getUint16(begin + 14, true),
      };
    } else if (name(at) === "data" && format) {
      const read = {
        "1/8": (place) => (view.getUint8(place) - 128) / 128,
        "1/16": (place) => view.getInt16(place, true) / 32768,
        "1/24": (place) => (view.getInt16(place + 1, true) * 256 + view.getUint8(place)) / 8388608,
        "1/32": (place) => view.getInt32(place, true) / 2147483648,
        "3/32": (place) => view.getFloat32(place, true),
        "3/64": (place) => view.getFloat64(place, true),
      }[`${format.code}/${format.bits}`];
      if (!read || format.rate !== facts.sample_rate_hz) return null;
      const width = format.bits / 8;
      const size = Math.min(view.getUint32(at + 4, true), buffer.byteLength - begin);
      const length = Math.floor(size / width / format.channels);
      const channels = Array.from({ length: format.channels }, (_, channel) =>
        Float32Array.from({ length }, (_, number) => read(begin + (number * format.channels + channel) * width)));
      return mix(channels);
    }
  }
  return null;
}

function mix(channels) {
  if (facts.channel !== null && channels.length > 1) {
    if (facts.channel >= channels.length) throw new Error(`has ${channels.length} channels; the model reads channel ${facts.channel}, counted from 0`);
    return channels[facts.channel];
  }
  return channels[0].map((_, number) => channels.reduce((sum, channel) => sum + channel[number], 0) / channels.length);
}

async function decode(buffer) {
  const exact = readWav(buffer);
  if (exact) return { samples: exact, note: "" };
  const context = new OfflineAudioContext(1, 1, facts.sample_rate_hz);
  const decoded = await context.decodeAudioData(buffer);
  const channels = Array.from({ length: decoded.numberOfChannels }, (_, number) => decoded.getChannelData(number));
  return { samples: mix(channels), note: "Decoded by the browser." };
}

async function answer(session, samples) {
  if (!samples.length) throw new Error("contains no samples");
  if (!samples.every(Number.isFinite)) throw new Error("contains samples that are NaN or infinite");
  if (samples.some((sample) => Math.abs(sample) > LOUDEST)) throw new Error("is damaged: its samples are far beyond full scale");
  const results = await session.run({ samples: new ort.Tensor("float32", samples, [1, samples.length]) });
  const values = Array.from(results[session.outputNames[0]].data);
  if (!values.every(Number.isFinite)) throw new Error("the model outputs NaN or infinite values");
  return values;
}

function element(tag, text, kind) {
  const made = document.createElement(tag);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function show(name, samples, values, note) {
  const section = document.createElement("section");
  section.append(element("h2", name));
  const novelty = facts.has_novelty ? values[values.length - 1] : null;
  const answers = facts.has_novelty ? values.slice(0, -1) : values;
  const notes = note ? [note] : [];
  if (samples.length > facts.n_samples) notes.push(`Only the first ${(facts.n_samples / facts.sample_rate_hz).toFixed(2)} s of ${(samples.length / facts.sample_rate_hz).toFixed(2)} s are used.`);
  if (samples.every((sample) => Math.abs(sample) < SILENT)) section.append(element("p", "Silence: the prediction is meaningless.", "warning"));
  if (novelty > 1) section.append(element("p", `Out of distribution (novelty ${novelty.toFixed(2)}): do not rely on the prediction.`, "warning"));
  const order = answers.map((_, number) => number);
  if (facts.are_probabilities) order.sort((one, other) => answers[other] - answers[one]);
  const table = document.createElement("table");
  for (const number of order) {
    const row = table.insertRow();
    const label = facts.columns[number];
    const counts = facts.thresholds ? answers[number] >= facts.thresholds[number] : number === order[0];
    if (facts.are_probabilities && counts) row.className = "first";
    row.insertCell().textContent = label;
    const cell = row.insertCell();
    cell.textContent = answers[number].toFixed(3);
    cell.title = String(answers[number]);
    const bar = row.insertCell().appendChild(document.createElement("div"));
    if (facts.are_probabilities) {
      bar.className = "bar";
      bar.style.width = `${Math.round(100 * answers[number])}%`;
    }
  }
  section.append(table);
  if (novelty !== null) {
    const text = element("p", `Novelty ${novelty.toFixed(2)}; above 1 a clip is unlike the training data.`, "soft");
    text.title = String(novelty);
    section.append(text);
  }
  for (const line of notes) section.append(element("p", line, "soft"));
  byId("answers").append(section);
  return section;
}

async function answerFiles(session, files) {
  byId("answers").replaceChildren();
  for (const file of files) {
    byId("state").textContent = `Predicting ${file.name} ...`;
    try {
      const { samples, note } = await decode(await file.arrayBuffer());
      show(file.name, samples, await answer(session, samples), note);
    } catch (error) {
      const section = element("section", "");
      section.append(element("h2", file.name), element("p", `No prediction: ${error.message}`, "warning"));
      byId("answers").append(section);
    }
  }
  byId("state").textContent = "Ready.";
}

const WORKLET = `registerProcessor("recorder", class extends AudioWorkletProcessor {
  process([[samples]]) { if (samples) this.port.postMessage(samples.slice()); return true; }
});`;

// A page from the disk may load a worklet by such an address, and not by that of a Blob.
// Starts to record; returns a function that stops and gives the samples at the model's rate.
async function record() {
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: plain });
  const context = new AudioContext();
  await context.audioWorklet.addModule(`data:text/javascript,${encodeURIComponent(WORKLET)}`);
  const recorder = new AudioWorkletNode(context, "recorder", { channelCount: 1, channelCountMode: "explicit" });
  const blocks = [];
  recorder.port.onmessage = ({ data }) => blocks.push(data);
  context.createMediaStreamSource(stream).connect(recorder);
  return async () => {
    stream.getTracks().forEach((track) => track.stop());
    await context.close();
    const length = blocks.reduce((sum, block) => sum + block.length, 0);
    if (!length) throw new Error("the microphone recorded no samples");
    const offline = new OfflineAudioContext(1, Math.ceil((length * facts.sample_rate_hz) / context.sampleRate), facts.sample_rate_hz);
    const recorded = offline.createBuffer(1, length, context.sampleRate);
    let at = 0;
    for (const block of blocks) {
      recorded.copyToChannel(block, 0, at);
      at += block.length;
    }
    const source = offline.createBufferSource();
    source.buffer = recorded;
    source.connect(offline.destination);
    source.start();
    return (await offline.startRendering()).getChannelData(0);
  };
}

// The segment of the length of a clip that has the most energy. Of several with nearly the most energy it is the last one, so
// that speech is at its beginning, as in clips that are followed by silence.
function loudest(samples) {
  const length = Math.min(facts.n_samples, samples.length);
  const energies = new Float64Array(samples.length - length + 1);
  let energy = 0;
  samples.forEach((sample, number) => {
    energy += sample * sample - (number >= length ? samples[number - length] ** 2 : 0);
    if (number >= length - 1) energies[number - length + 1] = energy;
  });
  const most = energies.reduce((one, other) => Math.max(one, other));
  const begin = energies.findLastIndex((value) => value >= NEARLY * most);
  return samples.slice(begin, begin + length);
}

// A WAV file of 32-bit floats, with the samples as they are.
function writeWav(samples) {
  const view = new DataView(new ArrayBuffer(58 + 4 * samples.length));
  const put = (at, text) => [...text].forEach((letter, number) => view.setUint8(at + number, letter.charCodeAt(0)));
  put(0, "RIFF"); view.setUint32(4, 50 + 4 * samples.length, true); put(8, "WAVEfmt ");
  [18, 0x10003, facts.sample_rate_hz, 4 * facts.sample_rate_hz, 0x200004].forEach((value, number) => view.setUint32(16 + 4 * number, value, true));
  put(38, "fact"); view.setUint32(42, 4, true); view.setUint32(46, samples.length, true);
  put(50, "data"); view.setUint32(54, 4 * samples.length, true);
  samples.forEach((sample, number) => view.setFloat32(58 + 4 * number, sample, true));
  return new Blob([view], { type: "audio/wav" });
}

async function start() {
  const session = await load();
  const files = byId("files"), button = byId("microphone");
  let stop = null;
  files.addEventListener("change", () => answerFiles(session, files.files));
  button.addEventListener("click", async () => {
    try {
      if (!stop) {
        stop = await record();
        button.textContent = "Stop";
        byId("state").textContent = "Recording ...";
        return;
      }
      const ended = stop;
      stop = null;
      button.textContent = "Record";
      const samples = loudest(await ended());
      byId("answers").replaceChildren();
      const section = show("Microphone", samples, await answer(session, samples), "");
      recording = writeWav(samples);
      const address = URL.createObjectURL(recording);
      const sound = section.appendChild(document.createElement("audio"));
      sound.controls = true;
      sound.src = address;
      const link = section.appendChild(element("a", "Save this recording"));
      link.href = address;
      link.download = "microphone.wav";
      byId("state").textContent = "Ready.";
    } catch (error) {
      byId("state").textContent = `No prediction from the microphone: ${error.message}`;
    }
  });
  files.disabled = button.disabled = false;
  byId("state").textContent = "Ready.";
}

start().catch((error) => { byId("state").textContent = `The model cannot be run in this browser: ${error.message}`; });
