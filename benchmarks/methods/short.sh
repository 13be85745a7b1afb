#!/usr/bin/env bash
# The benchmark of methods in its short form: a small simulated registry, four methods, two seeds.
# usage: short.sh OUT; run it again to go on with what was interrupted
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$1
mkdir -p "$out"
out=$(cd "$out" && pwd)
[ -f "$out/exact/cohort.toml" ] || "$here/chest_data.sh" "$out" --patients 240 --seed 5 --prevalence 0.5 \
  --laterals 0 --drawn 144 --size 256 --processes 2
cd "$here/../.."
python -m benchmarks.methods benchmarks/methods/plans/short.toml --cohort "$out/cohort" --out "$out/results" --jobs 2
