from hypothesis import HealthCheck, settings

# A busy machine is no failure: pytest's own timeout is the limit.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
