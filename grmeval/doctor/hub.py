"""The Hugging Face hub and its token, and the environment variables that change a run."""

import os
from collections.abc import Callable
from urllib.parse import urlsplit

from grmeval.doctor.check import Check, guarded, in_background, reason

__all__ = ["environment", "start"]

SECONDS = 4.0
_SHOWN = {
    *("GRMEVAL_MODEL", "GRMEVAL_CACHE", "CUDA_VISIBLE_DEVICES"),
    *("VLLM_CPU_KVCACHE_SPACE", "VLLM_CPU_OMP_THREADS_BIND", "VLLM_LOGGING_LEVEL"),
}
"""Variables whose values are no secrets; of others only the name is told."""


def start() -> Callable[[], Check]:
    """Begin to ask the hub; what comes back waits for the answer."""
    answer = in_background(SECONDS, lambda: guarded(_hub))
    return lambda: answer() or _unreachable("the hub", f"no answer within {SECONDS:g} s")


def _hub() -> Check:
    host = "the hub"
    try:  # huggingface_hub reads the HF_* variables as it is imported
        from huggingface_hub import constants, get_session, get_token

        token = "a token is set" if get_token() else "no token (HF_TOKEN) is set"
        if constants.is_offline_mode():
            found = f"HF_HUB_OFFLINE is set: only models in its cache; {token}"
            return Check("note", found, "unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE")
        host = urlsplit(constants.ENDPOINT).hostname or host
        status = get_session().head(constants.ENDPOINT).status_code
    except Exception as error:
        return _unreachable(host, reason(error))
    # The root of a mirror need not hold a page.
    if status >= 400 and status != 404:
        return _unreachable(host, f"HTTP {status}")
    return Check("ok", f"{host} answers; {token}")


def _unreachable(host: str, why: str) -> Check:
    advice = (
        "check the network, HTTPS_PROXY and the HF_* variables; without it: --model FOLDER or demo"
    )
    return Check("note", f"{host} cannot be reached: {why}", advice)


def environment(gpu: bool | None) -> Check:
    """What is set that changes a run; secrets by name only."""
    names = sorted(
        name for name in os.environ if name.startswith(("GRMEVAL_", "VLLM_", "CUDA_VIS"))
    )
    found = ", ".join(f"{n}={os.environ[n]}" if n in _SHOWN else f"{n} is set" for n in names)
    if gpu and os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return Check("note", f"{found}: hides every GPU", "unset CUDA_VISIBLE_DEVICES")
    return Check("ok", found or "nothing set that changes a run")
