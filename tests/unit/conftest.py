from hypothesis import settings

settings.register_profile("trust", deadline=None)  # a busy machine is no defect
settings.load_profile("trust")
