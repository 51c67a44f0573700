"""Before go-live: the rules of the service over a bulk export, every order decided as of its moment.

`core` decides one patient; `one_machine` and `spark` bring a patient's lines together; `run` keeps what came out.
"""
