// Node: typed arrays copied with new Float64Array(a) and with a.slice().
//
// Both are one memmove in V8, between blocks of malloc. Float64Array.from(a) is not: it goes through the array's
// iterator and stores element by element, and nothing can be shared. So it is not here.
'use strict';
const fs = require('fs');

let start = process.hrtime.bigint();

function done(name) {
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    fs.writeSync(1, `step ${seconds.toFixed(6)} ${name}\n`);
    fs.readSync(0, Buffer.alloc(1));
    start = process.hrtime.bigint();
}

function checksum(values) {
    const words = new Uint32Array(values.buffer);
    let sum = 2166136261;
    for (let i = 0; i < words.length; i++)
        sum = Math.imul(sum ^ words[i], 16777619);
    return (sum >>> 0).toString(16);
}

const count = 25 << 20; // 200 MiB
const original = new Float64Array(count);
for (let i = 0; i < count; i++)
    original[i] = i;
done('fill original');

const copy = new Float64Array(original);
done('copy = new Float64Array(original)');

const piece = original.slice();
done('piece = original.slice()');

copy.fill(-1, 0, count / 10);
done('change 10 % of copy');

original.fill(-2, count - count / 100);
done('change 1 % of original');

console.log(checksum(original), checksum(copy), checksum(piece));
