class ContinuousBatchingConfig:
    def __init__(self, allow_block_sharing=True, use_cuda_graph=None):
        self.use_cuda_graph = use_cuda_graph
