"""A Twilio stand-in: Twilio's messaging API over HTTP, signed callbacks, and faults on demand.

It knows nothing of the rest of Postcall. `postcall.sandbox.running` has the two ways to start it: `Sandbox`
in a test's own process, `run` as a program of its own. Nothing is imported here, so that naming the faults
(`postcall.sandbox.faults`) does not cost loading an HTTP server.
"""
