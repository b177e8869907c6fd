namespace InferenceServer.Cuda.Blas;

/// <summary>
/// y = x * w^T: x (M, K), w (N, K), y (M, N), all row-major with strides in elements. What an algorithm is chosen by.
/// </summary>
/// <param name="Type">Of x and w, and of y unless <paramref name="YF32"/>.</param>
internal readonly record struct MatmulShape(BlasType Type, int M, int N, int K, int XStride, int WStride, int YStride, bool YF32);
