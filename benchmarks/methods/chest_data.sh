#!/usr/bin/env bash
# A simulated registry as a cohort, twice: with the diagnoses that its records give, and with exact ones.
# usage: chest_data.sh OUT SIMULATE_OPTION...    writes OUT/registry, OUT/cohort, OUT/exact
set -euo pipefail
out=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
policy="$here/../../recipes/policies/fresh_fractures.toml"
registry="$out/registry"
mkdir -p "$out"
ribsight simulate "$registry" "$@"
ribsight label --codes "$registry/codes.csv" --coding-system icd-10-cm --reports "$registry/reports.csv" \
  --language en --images "$registry/images.csv" --policy "$policy" --out "$out/diagnoses"
ribsight cohort build --images "$registry/images" --diagnoses "$out/diagnoses" \
  --category rib_fracture=rib_fracture --category clavicle_fracture=clavicle_fracture \
  --regions "$registry/annotations.coco.json" --drawn-negative positive --force --out "$out/cohort"
ribsight cohort readings "$out/cohort" "$registry/expert_readings.csv"
ribsight cohort split "$out/cohort" --given "$registry/split.csv"
ribsight cohort check "$out/cohort"
rm -rf "$out/exact"
cp -r "$out/cohort" "$out/exact"
cut -d, -f2,7,8 "$registry/truth/radiographs.csv" | sed '1s/radiograph/image_id/' > "$out/exact_readings.csv"
ribsight cohort readings "$out/exact" "$out/exact_readings.csv"
