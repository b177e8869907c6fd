namespace InferenceServer.Cuda.Tests.Plain;

/// <summary>Rotary embedding in double.</summary>
internal static class PlainRope
{
    public static double Angle(int position, int pair, int rotaryDim, double theta) => position * Math.Pow(theta, -2.0 * pair / rotaryDim);

    /// <summary>Turns the pairs (i, i + rotaryDim / 2) of one head in place.</summary>
    public static void Rotate(Span<double> head, int rotaryDim, int position, double theta)
    {
        int half = rotaryDim / 2;
        for (int i = 0; i < half; i++)
        {
            (double sine, double cosine) = Math.SinCos(Angle(position, i, rotaryDim, theta));
            (head[i], head[i + half]) = (head[i] * cosine - head[i + half] * sine, head[i + half] * cosine + head[i] * sine);
        }
    }
}
