#!/usr/bin/env bash
# A simulated registry of which all held-out patients are tested: for `python -m benchmarks.methods ... --elsewhere OUT/cohort`.
# usage: new_patients.sh OUT SIMULATE_OPTION...
set -euo pipefail
out=$1
here=$(cd "$(dirname "$0")" && pwd)
"$here/chest_data.sh" "$@"
sed 's/,val$/,test/' "$out/registry/split.csv" > "$out/split.csv"
ribsight cohort split "$out/cohort" --given "$out/split.csv"
