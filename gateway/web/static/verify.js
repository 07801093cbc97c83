// Verifies an entry of the log in the browser, from what stands in the page and nothing else:
// SHA-256 over the leaf, then up its path (RFC 9162, 2.1.3.2) to the root of the checkpoint, whose
// Ed25519 signature must be the log's (C2SP signed-note). Nothing is sent anywhere.
"use strict";

const bytes = (text) => new TextEncoder().encode(text);
const fromHex = (text) => Uint8Array.from(text.match(/../g) || [], (two) => parseInt(two, 16));
const fromBase64 = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
const same = (one, other) => one.length === other.length && one.every((b, i) => b === other[i]);

async function sha256(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { whole.set(part, at); at += part.length; }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

const leafHash = (leaf) => sha256([0], leaf);
const nodeHash = (left, right) => sha256([1], left, right);

// The root to which a leaf's hash leads by its path; null if the path is of another shape.
async function rootBy(hash, index, size, path) {
  if (!(index < size)) return null;
  let node = index, last = size - 1, root = hash;
  const half = (n) => Math.floor(n / 2);
  for (const sibling of path) {
    if (last === 0) return null;
    if (node % 2 === 1 || node === last) {
      root = await nodeHash(sibling, root);
      while (node % 2 === 0 && node !== 0) { node = half(node); last = half(last); }
    } else {
      root = await nodeHash(root, sibling);
    }
    node = half(node); last = half(last);
  }
  return last === 0 ? root : null;
}

// A checkpoint: what was signed, and the signatures under it.
function readCheckpoint(note) {
  const end = note.indexOf("\n\n");
  const body = note.slice(0, end + 1);
  const [origin, size, root] = body.split("\n");
  const signatures = note.slice(end + 2).split("\n").filter(Boolean).map((line) => {
    const [, name, text] = line.split(" ");
    return { name, id: fromBase64(text).slice(0, 4), signature: fromBase64(text).slice(4) };
  });
  return { body, origin, size: Number(size), root: fromBase64(root), signatures };
}

// A public key as `name+id+key`; its id must be made of name and key.
async function readKey(text) {
  const [, name, id, key] = text.trim().match(/^([^+]+)\+([0-9a-f]{8})\+(.+)$/);
  const raw = fromBase64(key);
  const made = (await sha256(bytes(name + "\n"), raw)).slice(0, 4);
  if (raw[0] !== 1 || raw.length !== 33 || !same(made, fromHex(id))) throw new Error("no key");
  return { name, id: made, key: raw.slice(1) };
}

// true, false, or null where this browser knows no Ed25519.
async function signedBy(checkpoint, key) {
  let imported;
  try {
    imported = await crypto.subtle.importKey("raw", key.key, { name: "Ed25519" }, false, ["verify"]);
  } catch { return null; }
  for (const one of checkpoint.signatures) {
    if (one.name === key.name && same(one.id, key.id) && one.signature.length === 64 &&
        await crypto.subtle.verify("Ed25519", imported, one.signature, bytes(checkpoint.body))) return true;
  }
  return false;
}

async function verdicts(proof, keyText) {
  const told = [];
  const say = (good, text) => told.push([good, text]);
  let hash = fromHex(proof.hash);
  if (proof.leaf) {
    hash = await leafHash(fromBase64(proof.leaf));
    const fits = same(hash, fromHex(proof.hash));
    say(fits, fits ? "The leaf has the hash that stands here." : "The leaf has another hash.");
  } else {
    say(null, "The leaf itself is not for you: its hash is taken as it stands here.");
  }
  if (!proof.checkpoint) { say(false, "There is no path to a signed root."); return told; }
  const checkpoint = readCheckpoint(proof.checkpoint);
  const path = proof.hashes ? proof.hashes.split(" ").map(fromHex) : [];
  const root = await rootBy(hash, Number(proof.index), checkpoint.size, path);
  const leads = root !== null && same(root, checkpoint.root);
  say(leads, leads ? `Its path leads to the root of the checkpoint over ${checkpoint.size} entries.`
    : "Its path does not lead to the root that was signed: this is not what the log holds.");
  let key;
  try { key = await readKey(keyText); } catch { say(false, "The public key cannot be read."); return told; }
  const signed = await signedBy(checkpoint, key);
  if (signed === null) say(null, "This browser cannot check Ed25519: have the command line check the signature.");
  else say(signed && checkpoint.origin === key.name, signed ? `The checkpoint is signed by the log, ${key.name}.`
    : "The checkpoint is not signed by this key.");
  const others = checkpoint.signatures.map((one) => one.name).filter((name) => name !== key.name);
  if (others.length) say(null, `It carries signatures of ${[...new Set(others)].join(", ")}, which the command line checks.`);
  return told;
}

function show(place, told) {
  const bad = told.some(([good]) => good === false);
  const unsure = told.some(([good, text]) => good === null && text.includes("Ed25519"));
  const head = document.createElement("p");
  head.className = bad ? "problem" : unsure ? "said alert" : "said good";
  const strong = document.createElement("strong");
  strong.textContent = bad ? "Not verified." : unsure ? "Verified but for the signature." : "Verified.";
  head.append(strong);
  const list = document.createElement("ul");
  for (const [good, text] of told) {
    const item = document.createElement("li");
    item.className = good === null ? "unsure" : good ? "fits" : "fails";
    item.textContent = text;
    list.append(item);
  }
  place.replaceChildren(head, list);
}

if (globalThis.crypto && crypto.subtle) {
  const keyField = document.querySelector(".key-field");
  if (keyField) keyField.hidden = false;
  for (const proof of document.querySelectorAll("[data-proof]")) {
    const button = proof.querySelector(".verify");
    button.hidden = false;
    button.addEventListener("click", async () => {
      const place = proof.querySelector(".verdicts");
      try {
        show(place, await verdicts(proof.dataset, document.getElementById("log-key").value));
      } catch {
        show(place, [[false, "What stands here cannot be read as a proof."]]);
      }
    });
  }
}
