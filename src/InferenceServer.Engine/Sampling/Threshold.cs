namespace InferenceServer.Engine.Sampling;

/// <summary>Which tokens a filter keeps: all above the border, and of those equal to it the first by id.</summary>
/// <param name="Border">The smallest value kept.</param>
/// <param name="Ties">How many that equal the border are kept; at least 1.</param>
internal readonly record struct Threshold(float Border, int Ties);
