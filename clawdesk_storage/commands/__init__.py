"""The commands of `clawdesk-storage`: one module each, with `add` that declares it."""
