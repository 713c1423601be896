"""How OpenMP's threads wait for each other; imported before torch, which reads the setting once.

By default OpenMP's threads spin while they wait. On a robot other processes want the same cores: a thread
that spins takes the time of the one it waits for, and a frame takes several times as long. Where cores are
free, sleeping threads cost some percent. A setting of the user's own stays.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
