#!/bin/sh
# The study of docs/shapley.md: every estimator on penultimate neurons and on two earlier layers, for both values, on two CIFAR networks
# and one of ImageNet.
#
#   sh study.sh OUT SHARED
#
# SHARED is the folder of checkpoints/, onnx/ and data/. GOLINE names the program; PICTURES (100) and LAYER_PICTURES (100) say how many
# pictures; LAYERS are NETWORK:LAYER pairs to do, all by default; QUEUE is put before every command. A folder that has its
# cells.csv is not done again. `python studytable.py OUT/cifar10-features-log-sum-exp.*` joins the tables of one setting.
set -eu
out=$1 shared=$2
goline=${GOLINE:-goline} queue=${QUEUE:-} pictures=${PICTURES:-100} few=${LAYER_PICTURES:-100}
budgets=${BUDGETS:-1000,3420,10000,34200} layer_budgets=${LAYER_BUDGETS:-300,1000,3000,10000}
mkdir -p "$out"

# Estimators by kin, so that each group is done and kept by itself.
gradients=recommended,coalition-gradients,coalition-gradients-unbiased,gradient-activation,deeplift-rescale
paths=integrated-gradients,integrated-gradients-trapezoid,expected-gradients
orders=permutation,antithetic,owen,owen-halved,topk
regressions=leverageshap,kernelshap-paired,kernelshap
strata=stratified,svarm,svarm-stratified

# study NAME GROUP BUDGETS FLAGS: a folder for each budget
study() {
  name=$1 group=$2 list=$3
  eval "names=\$$2"
  shift 3
  for budget in $(echo "$list" | tr , ' '); do
    to=$out/$name.$group.$budget
    if [ ! -e "$to/cells.csv" ]; then
      $queue "$goline" attribute compare --seed 11 --seeds 1 --out-dir "$to" --budgets "$budget" --estimators "$names" "$@" > "$to.txt" ||
        echo "$to: not done" >&2
    fi
  done
}

for pair in ${LAYERS:-cifar10:features cifar100:features efficientnet:features cifar10:trans2 cifar10:block2 cifar100:trans2 cifar100:block2 \
    efficientnet:_blocks.13 efficientnet:_blocks.9}; do
  network=${pair%%:*} layer=${pair#*:}
  case $network in
  cifar10) set -- --net densenet-bc-100-12 --weights "$shared/checkpoints/cifar10_densenet_bc_100_12.pth.tar" --data "$shared/data/cifar10_test_5000.bin" ;;
  cifar100) set -- --net densenet-bc-100-12 --weights "$shared/checkpoints/cifar100_densenet_bc_100_12.pth.tar" --data "$shared/data/cifar100_test_500.bin" ;;
  efficientnet) set -- --net "$shared/onnx/efficientnet_lite0.onnx" --preprocess efficientnet-lite --data "$shared/data/scenes_png" ;;
  esac
  if [ "$layer" = features ]; then
    set -- "$@" --features-dir "$out/features-$network" --images "$pictures" --truth-budget "${TRUTH:-5e6}"
    list=$budgets
  else
    set -- "$@" --layer "$layer" --channels --images "$few" --truth-budget "${LAYER_TRUTH:-1e5}"
    list=$layer_budgets
  fi
  for value in log-sum-exp probability; do
    for group in ${GROUPS_TO_DO:-gradients regressions orders paths strata}; do
      study "$network-$layer-$value" "$group" "$list" --value "$value" "$@"
    done
  done
done
