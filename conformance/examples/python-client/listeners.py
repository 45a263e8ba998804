"""Listeners."""

import traceback


class Listeners:
    """The listeners of an object."""

    def __init__(self):
        self._listeners = []

    def on(self, event, listener):
        self._listeners.append((event, listener))

    def remove_all_listeners(self):
        self._listeners = []

    def _emit(self, event, *values):
        for wanted, listener in list(self._listeners):
            if wanted == event:
                try:
                    listener(*values)
                except Exception:
                    traceback.print_exc()  # a listener's mistake must not harm others
