"""Inside a sandbox of the tests: runs the Python text of each request, and answers with what it left in `result`."""

import frames


def serve(channel):
    while True:
        try:
            header, body = frames.receive(channel)
        except EOFError:
            return
        names = {"channel": channel, "body": body, "result": None}
        try:
            exec(header["python"], names)
        except Exception as error:
            names["result"] = f"{type(error).__name__}: {error}"
        frames.send(channel, {"result": names["result"]}, body)
