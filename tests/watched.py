"""An executor that keeps the requests that it passes on, and counts them on its own."""


class Watched:
    """Passes requests on to another executor."""

    def __init__(self, inner):
        self.inner, self.requests = inner, []

    def submit(self, request):
        self.requests.append(request)
        return self.inner.submit(request)

    def collect(self, job_handle):
        return self.inner.collect(job_handle)

    @property
    def circuits(self):
        """Circuits of every request."""
        return [sum(len(measured.states) for measured in request.measurements) for request in self.requests]

    @property
    def shots(self):
        """Shots of every request."""
        return [sum(_shots(measured) for measured in request.measurements) for request in self.requests]


def _shots(measured):
    return (measured.shots or 0) * len(measured.states)
