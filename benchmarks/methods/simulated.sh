#!/usr/bin/env bash
# A detector of simulated rib fractures with every region drawn, for others to start from (plans/*_starts*.toml).
# usage: simulated.sh DATA RUN [STEPS]    DATA: made by chest_data.sh, with as many patients drawn as there are
set -euo pipefail
data=$1
run=$2
steps=${3:-1000}
here=$(cd "$(dirname "$0")" && pwd)
ribsight train --cohort "$data/exact" --recipe "$here/../../recipes/fracatlas.toml" --method supervised --out "$run" \
  --set images.local_contrast=6 --set detector.pyramid_channels=32 --set loss.lesion_weight=4 --set teacher.decay=0.97 \
  --set stage1.steps="$steps" --set "stage1.batch={regions=4,negatives=4}" \
  --set stage2.steps=200 --set "stage2.batch={regions=4,negatives=4}" --set validation.images=60
