"""What surrounds a run: its code, git state, environment, machine and process.

Every module here looks at the world once and hands back a frozen value. The room decides what may
be recorded at all (the secrets filter), so that no later room has to. It knows nothing of runs,
manifests or repositories, and stores nothing.
"""
