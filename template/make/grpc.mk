# The gRPC API's generated code: committed, so that nobody needs the generator to run the service.

.PHONY: protos

protos: $(READY) ## Generate the code of protos/ again
	@$(BIN)/python -m dev.protos

check:: $(READY)
	@$(BIN)/python -m dev.protos --check
