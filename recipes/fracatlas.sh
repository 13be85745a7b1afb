#!/usr/bin/env bash
# Supervised training, AALS and ribsight on FracAtlas with 100 revealed regions: every command of docs/fracatlas.md.
# usage: fracatlas.sh FRACATLAS OUT
set -euo pipefail
data=$1
out=$2
here=$(dirname "$0")
regions="$data/Annotations/COCO JSON/COCO_fracture_masks.json"  # the published archive
[ -f "$regions" ] || regions="$data/annotations.coco.json"
mkdir -p "$out"
set -x
ribsight cohort build --images "$data/images" --diagnoses "$data/dataset.csv" --image-column image_id \
  --finding fracture=fractured --regions "$regions" --group blocks:25 --drawn-negative positive --truncated use \
  --processes 2 --out "$out/cohort"
ribsight cohort split "$out/cohort" --fractions 0.6,0.15,0.25 --seed 0 --reveal 100
ribsight cohort check "$out/cohort"
ribsight train --cohort "$out/cohort" --recipe "$here/fracatlas.toml" --method supervised --out "$out/supervised"
for method in aals ribsight; do
  ribsight train --cohort "$out/cohort" --recipe "$here/fracatlas.toml" --method $method --stage1 "$out/supervised" \
    --out "$out/$method"
done
ribsight evaluate "$out/supervised" --cohort "$out/cohort" --split test
for method in aals ribsight; do
  ribsight evaluate "$out/$method" --cohort "$out/cohort" --split test --against "$out/supervised"
done
