#!/usr/bin/env bash
# The main job on a simulated trauma registry: supervised, AALS and ribsight, every command of docs/simulation.md.
# usage: demo.sh OUT; run it again to go on with what was interrupted
set -euo pipefail
out=$1
here=$(dirname "$0")
mkdir -p "$out"
SECONDS=0
train() {  # RUN OPTION...: start a run, or go on with it
  if [ -f "$1/checkpoints/last.pt" ]; then
    ribsight train --resume "$1"
  else
    rm -rf "$1"
    ribsight train --cohort "$out/cohort" --recipe "$here/demo.toml" --out "$@"
  fi
}
say() { printf '\n[%3d s] %s\n' "$SECONDS" "$*"; }

say "a registry that never was: films as DICOM, codes, reports, an expert's few drawings"
ribsight simulate "$out/registry" --settings "$here/registries/demo.toml" --patients 600 --seed 11 --prevalence 0.5 \
  --drawn 100 --processes 2
say "what the hospital wrote becomes diagnoses"
ribsight label --codes "$out/registry/codes.csv" --coding-system icd-10-cm --reports "$out/registry/reports.csv" \
  --language en --images "$out/registry/images.csv" --policy "$here/policies/fresh_fractures.toml" --out "$out/diagnoses"
say "the cohort: records for training, the panel's readings for who is held out"
ribsight cohort build --images "$out/registry/images" --diagnoses "$out/diagnoses" \
  --category rib_fracture=rib_fracture --category clavicle_fracture=clavicle_fracture \
  --regions "$out/registry/annotations.coco.json" --drawn-negative positive --processes 2 --force --out "$out/cohort"
ribsight cohort readings "$out/cohort" "$out/registry/expert_readings.csv"
ribsight cohort split "$out/cohort" --given "$out/registry/split.csv"
ribsight cohort check "$out/cohort"
say "stage 1, then the supervised run goes on"
train "$out/supervised" --method supervised
say "AALS from the same stage 1"
train "$out/aals" --method aals --stage1 "$out/supervised"
say "ribsight's own method, which also looks where the reports say"
train "$out/ribsight" --method ribsight --stage1 "$out/supervised"
say "how good, on patients that none has seen"
ribsight evaluate "$out/supervised" --cohort "$out/cohort" --split test
ribsight evaluate "$out/aals" --cohort "$out/cohort" --split test --against "$out/supervised"
ribsight evaluate "$out/ribsight" --cohort "$out/cohort" --split test --against "$out/supervised"
say "done: open $out/ribsight/report.html"
