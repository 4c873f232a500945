from fixtures import *  # noqa: F403  pytest looks for them here
