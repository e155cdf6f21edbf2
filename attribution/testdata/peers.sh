#!/bin/sh
# Shapley values of penultimate neurons, or of a layer's channels: goline, shapiq, shap and captum on the same pictures and games, in one
# table each.
#
#   sh peers.sh OUT SHARED [IMAGES]
#
# SHARED is the folder of checkpoints/ and data/ of the CIFAR networks. GOLINE names the program; PYTHONS the interpreters, each with
# some of shapiq (1.8 needs Python 3.12; with xgboost and lightgbm), shap, captum; BUDGETS the evaluations; SEED chooses pictures;
# LAYER names a layer whose channels play, with COST, the forwards that one of its values is (trans2: 0.069); TRUTH the truth's forwards;
# ESTIMATORS those of goline; QUEUE is put before every command, for machines that are shared. What was done before is not done again.
set -eu
out=$1 shared=$2 images=${3:-12}
here=$(dirname "$0")
goline=${GOLINE:-goline} budgets=${BUDGETS:-1000,3420,10000,34200} seed=${SEED:-7} queue=${QUEUE:-}
layer=${LAYER:-features} cost=${COST:-1}
forwards=$(echo "$budgets" | awk -v cost="$cost" -v RS=, '{ printf "%s%.0f", separator, $1 * cost; separator = "," }')
for set in cifar10:cifar10_test_5000.bin cifar100:cifar100_test_500.bin; do
  net=${set%%:*} data=${set#*:}
  for value in log-sum-exp probability; do
    to=$out/$net-$value
    case $layer in
    features) players="--features-dir $out/features-$net" ;;
    *) players="--layer $layer --channels" ;;
    esac
    game="--net densenet-bc-100-12 --weights $shared/checkpoints/${net}_densenet_bc_100_12.pth.tar --data $shared/data/$data
      $players --value $value --images $images --seed $seed"
    for python in ${PYTHONS:-python3}; do
      code=124
      while [ $code -eq 124 ]; do # what a time limit in QUEUE has cut short goes on
        code=0
        $queue "$python" "$here/peers.py" --out "$to" --budgets "$budgets" --cost "$cost" --only "${PEERS:-}" --patience "${PATIENCE:-60}" -- "$goline" $game || code=$?
      done
    done
    imports=$(find "$to" -name '*-*.npz' | sort | sed 's/^/--import /')
    $queue "$goline" attribute compare $game --seeds 1 --budgets "$forwards" --truth-budget "${TRUTH:-2e7}" --out-dir "$to" $imports \
      --estimators "${ESTIMATORS:-recommended,coalition-gradients,coalition-gradients-unbiased,leverageshap,antithetic}" | tee "$to/table.txt"
  done
done
