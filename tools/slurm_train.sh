#!/usr/bin/env bash
# Train under Slurm: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [flags of train.py]
# Variables (defaults): GPUS (4), GPUS_PER_NODE (4), CPUS_PER_TASK (5), SRUN_ARGS.
set -euo pipefail

if [ $# -lt 3 ]; then
    sed -n '2,3s/^# //p' "$0" >&2
    exit 2
fi
partition=$1
job_name=$2
config=$3
shift 3
gpus=${GPUS:-4}
gpus_per_node=${GPUS_PER_NODE:-4}
# The arguments are split into words on purpose
read -ra srun_args <<<"${SRUN_ARGS:-}"

exec srun \
    --partition="$partition" \
    --job-name="$job_name" \
    --gres="gpu:$gpus_per_node" \
    --ntasks="$gpus" \
    --ntasks-per-node="$gpus_per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${srun_args[@]+"${srun_args[@]}"} \
    python -u "$(dirname "${BASH_SOURCE[0]}")/train.py" "$config" \
    --launcher slurm "$@"
