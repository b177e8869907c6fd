namespace InferenceServer.Cuda.StandIn.Ptx.Running;

internal enum WarpStatus : byte { Ready, AtBarrier, Done }
